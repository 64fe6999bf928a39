import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Head } from '../head/head.ts'
import { finishSteps, takeStepsInTurns } from '../steps.ts'
import { LogDecodingThread } from './log-decoding-thread.ts'
import { openLocalSource } from './log-decoder.ts'
import type { LogFile } from './log-files.ts'
import { replayLogInSteps } from './replay.ts'
import type { ReplayResult } from './replay.ts'
import type { Damage } from './repair.ts'
import { WalWriter } from './wal-writer.ts'
import { histogramOf } from './wal.test-histograms.ts'

const nowMs = 1_800_000_000_000
const value = new Float64Array(1)
const words = new Uint32Array(value.buffer)
let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-decode-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const newHead = () => new Head({ memoryBytesMax: 2 ** 29, now: () => nowMs })

/** Several batches of series and samples, in segments of 1 MiB; every tenth series has histograms too. */
function writeLog(series: number, rounds: number): void {
  const head = newHead()
  const writer = new WalWriter({ directory, firstSegment: 0, compresses: true, segmentBytes: 2 ** 20 })
  head.startLogging(writer)
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < series; i++) {
      const ref = head.refByLabels(Labels.from({ __name__: `m_${i % 50}`, instance: `host-${Math.floor(i / 50)}`, job: 'node' }))
      value[0] = round * i
      const timeMs = nowMs - 100_000 + round * 1000
      if (i % 10 === 3) head.appendHistogram(ref, timeMs, histogramOf(false).histogram)
      else head.append(ref, timeMs, words[0]!, words[1]!)
      if (i % 2000 === 1999) head.commit()
    }
    head.commit()
  }
  void writer.close()
}

async function replay(source: (segments: readonly LogFile[], head: Head) => ReturnType<typeof openLocalSource>, mayWait: boolean) {
  const head = newHead()
  const damages: Damage[] = []
  const steps = replayLogInSteps(directory, head, {
    onDamage: (damage) => damages.push(damage),
    openSource: (segments) => source(segments, head),
  })
  const result: ReplayResult = mayWait ? await takeStepsInTurns(steps, new AbortController().signal) : finishSteps(steps)
  return { head, result, damages }
}

const counted = ({ series, samples, segments, bytes, samplesUnknown, unreadRecords }: ReplayResult) => ({
  series,
  samples,
  segments,
  bytes,
  samplesUnknown,
  unread: [...unreadRecords],
})

function stateOf(head: Head): unknown {
  const refs = Array.from({ length: head.places }, (_, i) => i + 1)
  return {
    stats: { ...head.stats(), usedBytes: 0, usedBytesByFamily: {} },
    labels: refs.map((ref) => head.labelsOf(ref).key()),
    records: refs.map((ref) => [...head.memory.series.words[0]!.slice(ref * 16, ref * 16 + 8)]),
  }
}

test('a head that a thread helps to fill is the one that is filled without', { timeout: 60_000 }, async () => {
  writeLog(20_000, 4)
  const threaded = await replay((segments, { memory }) => new LogDecodingThread(segments, memory), true)
  const local = await replay(openLocalSource, false)
  expect(local.result.samples).toBe(20_000 * 4 * 0.9)
  expect(counted(threaded.result)).toEqual(counted(local.result))
  expect(stateOf(threaded.head)).toEqual(stateOf(local.head))
})

test('damage that the thread meets is repaired and told as without it', { timeout: 60_000 }, async () => {
  writeLog(5_000, 3)
  const path = join(directory, '00000000')
  const bytes = readFileSync(path)
  bytes[100_000]! ^= 0x55
  writeFileSync(path, bytes)
  const { result, damages } = await replay((segments, { memory }) => new LogDecodingThread(segments, memory), true)
  expect(damages.map(({ kind }) => kind)).toEqual(['corrupt'])
  const again = await replay(openLocalSource, false)
  expect(again.damages).toEqual([])
  expect(counted(again.result)).toEqual(counted(result))
})

test('a segment that cannot be read fails the replay with what the system said', async () => {
  writeLog(10, 1)
  const steps = replayLogInSteps(directory, newHead(), {
    onDamage: () => {},
    openSource: () => new LogDecodingThread([{ index: 0, path: join(directory, 'missing') }], newHead().memory),
  })
  await expect(takeStepsInTurns(steps, new AbortController().signal)).rejects.toThrow('ENOENT')
})

test('a replay that is given up ends its thread', async () => {
  writeLog(20_000, 1)
  const abort = new AbortController()
  const head = newHead()
  const steps = replayLogInSteps(directory, head, {
    onDamage: () => {},
    openSource: (segments) => new LogDecodingThread(segments, head.memory),
  })
  const taken = takeStepsInTurns(steps, abort.signal)
  abort.abort(new Error('enough'))
  await expect(taken).rejects.toThrow('enough')
  expect(steps.next().done).toBe(true)
})
