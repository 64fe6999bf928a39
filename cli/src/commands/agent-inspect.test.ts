import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError, type PrintAndExit } from '@narthex/service/user-error'
import { afterAll, expect, test } from 'vitest'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { formatInspection, runAgentInspect } from './agent-inspect.ts'

const directory = makeTemporaryDirectory()
afterAll(() => directory.remove())

const segment = {
  file: '0000000000000001.frames',
  bytes: 3 * 2 ** 20,
  frames: 120,
  layouts: 4,
  packedFrames: 124,
  samples: 90_000,
  firstSequence: 1,
  lastSequence: 121,
  minTimeMs: Date.UTC(2026, 0, 1),
  maxTimeMs: Date.UTC(2026, 0, 1, 0, 10),
  damage: [{ offset: 4096, bytes: 300, sequence: 17, samples: 750 }],
  framesWithoutLayout: 0,
  tornBytes: 0,
  isGone: false,
}

test('prints segments, remotes, dead letters and damage', () => {
  const remote = {
    name: 'main',
    next: 100,
    settled: [{ first: 110, end: 120 }],
    waitingFrames: 11,
    waitingSamples: 8250,
    waitingBytes: 5000,
    oldestTimeMs: Date.UTC(2026, 0, 1, 0, 8),
    missingFrames: 1,
  }
  const text = formatInspection(
    { segments: [segment, { ...segment, isGone: true }], remotes: [remote], problems: ['cannot read cursor x'] },
    [{ remote: 'main', files: 2, bytes: 2048 }],
    Date.UTC(2026, 0, 1, 0, 18),
  )
  expect(text).toBe(`1 segments, 3.0 MiB, 120 frames, 90000 samples

SEGMENT                  BYTES    FRAMES  LAYOUTS  SAMPLES  SEQUENCES  FROM                  TO                    STATE
0000000000000001.frames  3.0 MiB  120     4        90000    1-121      2026-01-01T00:00:00Z  2026-01-01T00:10:00Z  packed, DAMAGED

REMOTE  THROUGH BEFORE    WAITING FRAMES  SAMPLES  BYTES    OLDEST   NOT IN THE LOG
main    100, and 110-119  11              8250     4.9 KiB  10m ago  1 frames

dead letters of main: 2.0 KiB in 2 files

0000000000000001.frames: 300 damaged bytes at 4096: frame 17 with 750 samples

cannot read cursor x
`)
})

test('is a mistake of the user where there is no log', async () => {
  await expect(runAgentInspect([directory.path])).rejects.toThrow(UserError)
  await expect(runAgentInspect([directory.path])).rejects.toThrow(
    `there is no log in ${directory.path}: want a directory with frames/ in it`,
  )
})

test('ends with 1 when something is damaged, and can print JSON', async () => {
  mkdirSync(join(directory.path, 'frames', 'cursors'), { recursive: true })
  const run = async (...args: string[]) => runAgentInspect([directory.path, ...args]).catch((error: unknown) => error as PrintAndExit)
  expect(await run()).toMatchObject({ exitCode: 0 })
  writeFileSync(join(directory.path, 'frames', '0000000000000001.frames'), 'x'.repeat(100))
  writeFileSync(join(directory.path, 'frames', '0000000000000002.frames'), '')
  const answer = (await run('--json')) as PrintAndExit
  expect(answer.exitCode).toBe(1)
  expect(JSON.parse(answer.text)).toMatchObject({ segments: [{ damage: [{ offset: 0, bytes: 100 }] }, {}], remotes: [], deadLetters: [] })
})
