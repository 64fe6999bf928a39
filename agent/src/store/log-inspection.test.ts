import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FrameLog } from './frame-log.ts'
import type { FrameLogOptions } from './frame-log.ts'
import type { SeriesLayout } from './frame.ts'
import { LayoutBuilder } from './layout-builder.ts'
import { inspectLog, listDeadLetters } from './log-inspection.ts'

let directory: string
const open: FrameLog[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-inspect-'))
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((log) => log.close()))
  rmSync(directory, { recursive: true })
})

function openLog(options: Partial<FrameLogOptions> = {}): FrameLog {
  const events = { onLoss: () => {}, onProblem: () => {} }
  const log = new FrameLog({ directory, remotes: ['a', 'b'], events, cursorIntervalMs: 10, packAfterMs: Infinity, ...options })
  open.push(log)
  return log
}

async function closeLog(log: FrameLog): Promise<void> {
  open.splice(open.indexOf(log), 1)
  await log.close()
}

function layoutOf(series: number, help = ''): SeriesLayout {
  const builder = new LayoutBuilder()
  for (let i = 0; i < series; i++) builder.addPairs(['__name__', `m${i}`], { name: `m${i}`, type: 'gauge', help, unit: '' })
  return builder.build(1)
}

/** Appends `frames` frames with times `from`, `from` + 1, … */
function fill(log: FrameLog, layout: SeriesLayout, frames: number, from: number): void {
  const words = new Uint32Array(2 * layout.seriesCount)
  for (let i = 0; i < frames; i++) log.append({ layout, indexes: undefined, times: from + i, words, count: layout.seriesCount })
}

const segmentPaths = () =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.frames'))
    .map((name) => join(directory, name))

const flip = (path: string, at: number): void => {
  const bytes = readFileSync(path)
  bytes[at]! ^= 0xff
  writeFileSync(path, bytes)
}

describe('the inspection of a log', () => {
  test('counts what is stored and what waits for each remote, beside the agent that writes it', async () => {
    const log = openLog()
    const layout = layoutOf(10)
    fill(log, layout, 100, 1000)
    log.acknowledge('a', 61)
    await expect.poll(async () => (await inspectLog(directory)).remotes.map(({ next }) => next).sort()).toEqual([1, 61])
    const { segments, remotes, problems } = await inspectLog(directory)
    expect(problems).toEqual([])
    expect(segments).toEqual([
      {
        file: '0000000000000001.frames',
        bytes: statSync(segmentPaths()[0]!).size,
        frames: 100,
        layouts: 2,
        packedFrames: 0,
        samples: 1000,
        firstSequence: 1,
        lastSequence: 100,
        minTimeMs: 1000,
        maxTimeMs: 1099,
        damage: [],
        framesWithoutLayout: 0,
        tornBytes: 0,
        isGone: false,
      },
    ])
    expect(remotes.find(({ name }) => name === 'a')).toMatchObject({
      waitingFrames: 40,
      waitingSamples: 400,
      oldestTimeMs: 1060,
      missingFrames: 0,
      settled: [],
    })
    expect(remotes.find(({ name }) => name === 'b')).toMatchObject({ waitingFrames: 100, waitingSamples: 1000, oldestTimeMs: 1000 })
  })

  test('reads segments of many windows and frames longer than one, and tells packed frames', async () => {
    const log = openLog({ packAfterMs: 0 })
    const large = layoutOf(2000, 'x'.repeat(2000))
    const words = new Uint32Array(4000).map((_, i) => Math.imul(i, 2654435761))
    for (let i = 0; i < 700; i++) log.append({ layout: large, indexes: undefined, times: i, words, count: 2000 })
    await closeLog(log)
    const { segments } = await inspectLog(directory)
    expect(segments.reduce((sum, { frames }) => sum + frames, 0)).toBe(700)
    expect(segments.reduce((sum, { samples }) => sum + samples, 0)).toBe(1_400_000)
    expect(segments.length).toBeGreaterThan(1)
    expect(segments.flatMap(({ damage }) => damage)).toEqual([])
  })

  test('finds each damaged frame and what it held, and the frames whose labels are gone', async () => {
    const log = openLog()
    const layout = layoutOf(10)
    fill(log, layout, 30, 0)
    await closeLog(log)
    const other = openLog()
    fill(other, layout, 5, 30)
    await closeLog(other)
    const [first, second] = segmentPaths()
    const bytes = readFileSync(first!)
    // The last byte of the last frame: its header says what is lost.
    flip(first!, bytes.length - 1)
    const { segments, remotes } = await inspectLog(directory)
    expect(segments[0]).toMatchObject({ frames: 29, damage: [{ sequence: 30, samples: 10 }], tornBytes: 0 })
    expect(remotes[0]).toMatchObject({ waitingFrames: 34, missingFrames: 1 })
    // Both copies of the layout in the second segment.
    let at = 0
    const damaged = readFileSync(second!)
    for (let copy = 0; copy < 2; copy++) {
      while (!(damaged.readUInt32LE(at) === 0x3146584e && damaged[at + 16] === 1)) at++
      flip(second!, at + 60)
      at++
    }
    const again = await inspectLog(directory)
    expect(again.segments[1]).toMatchObject({ layouts: 0, frames: 5, framesWithoutLayout: 5, damage: [{}, {}] })
  })

  test('takes half a frame at the end of the newest segment for one that is being written', async () => {
    const log = openLog()
    fill(log, layoutOf(10), 3, 0)
    await closeLog(log)
    const [path] = segmentPaths()
    const bytes = readFileSync(path!)
    writeFileSync(path!, bytes.subarray(0, bytes.length - 5))
    const { segments } = await inspectLog(directory)
    expect(segments[0]).toMatchObject({ frames: 2, damage: [] })
    expect(segments[0]!.tornBytes).toBeGreaterThan(50)
  })

  test('changes nothing on disk', async () => {
    const log = openLog()
    fill(log, layoutOf(10), 3, 0)
    await closeLog(log)
    const [path] = segmentPaths()
    writeFileSync(`${path}.packing`, 'half')
    writeFileSync(path!, readFileSync(path!).subarray(0, -5))
    const state = () =>
      readdirSync(directory, { recursive: true }).map((name) => [String(name), statSync(join(directory, String(name))).mtimeMs])
    const before = state()
    await inspectLog(directory)
    expect(state()).toEqual(before)
  })

  test('tells cursors that cannot be read, and reads a log that has none', async () => {
    writeFileSync(join(directory, '0000000000000001.frames'), 'no frames at all')
    const { segments, remotes, problems } = await inspectLog(directory)
    expect(segments[0]).toMatchObject({ frames: 0, tornBytes: 16 })
    expect(remotes).toEqual([])
    expect(problems).toHaveLength(1)
    mkdirSync(join(directory, 'cursors'))
    writeFileSync(join(directory, 'cursors', 'x.cursor'), '{}')
    expect((await inspectLog(directory)).problems[0]).toContain('cannot read cursor')
  })
})

test('dead letters are listed by remote', () => {
  expect(listDeadLetters(join(directory, 'dead-letters'))).toEqual([])
  for (const [name, text] of [
    ['a%2Fb.letters', 'one'],
    ['a%2Fb.letters.1', 'before'],
    ['%E.letters', ''],
    ['other', 'x'],
  ] as const)
    writeFileSync(join(directory, name), text)
  expect(listDeadLetters(directory)).toEqual([
    { remote: '%E', files: 1, bytes: 0 },
    { remote: 'a/b', files: 2, bytes: 9 },
  ])
})
