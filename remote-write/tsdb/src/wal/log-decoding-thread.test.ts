import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { silentLogger } from '@narthex/service/logger'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { Head } from '../head/head.ts'
import { HeadReader } from '../select/head-reader.ts'
import { finishSteps, takeStepsInTurns } from '../steps.ts'
import { LogDecodingThread } from './log-decoding-thread.ts'
import { openLocalSource } from './log-decoder.ts'
import { listLog } from './log-files.ts'
import type { LogFile } from './log-files.ts'
import { LogReferences } from './log-references.ts'
import { RecordBuilder } from './record-builder.ts'
import { replayLogInSteps } from './replay.ts'
import type { ReplayResult } from './replay.ts'
import type { Damage } from './repair.ts'
import { openHeadChunks } from '../store-head-chunks.ts'
import { samplesRecord } from './wal-format.ts'
import { WalWriter } from './wal-writer.ts'
import { histogramOf } from './wal.test-histograms.ts'

const nowMs = 1_800_000_000_000
const value = new Float64Array(1)
const words = new Uint32Array(value.buffer)
let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-decode-'))
  mkdirSync(join(directory, 'wal'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const newHead = () => new Head({ memoryBytesMax: 2 ** 29, now: () => nowMs })

/** Several batches of series and samples, in segments of 1 MiB; in the rounds from `histogramsFrom` on every tenth series has histograms. */
function writeLog(series: number, rounds: number, histogramsFrom = 0): void {
  const head = newHead()
  const writer = new WalWriter({ directory: join(directory, 'wal'), firstSegment: 0, compresses: true, segmentBytes: 2 ** 20 })
  head.startLogging(writer)
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < series; i++) {
      const ref = head.refByLabels(Labels.from({ __name__: `m_${i % 50}`, instance: `host-${Math.floor(i / 50)}`, job: 'node' }))
      value[0] = round * i
      const timeMs = nowMs - 100_000 + round * 1000
      if (i % 10 === 3 && round >= histogramsFrom) head.appendHistogram(ref, timeMs, histogramOf(false).histogram)
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
  const steps = replayLogInSteps(join(directory, 'wal'), head, {
    onDamage: (damage) => damages.push(damage),
    openSource: (segments) => source(segments, head),
  })
  const result: ReplayResult = mayWait ? await takeStepsInTurns(steps, new AbortController().signal) : finishSteps(steps)
  return { head, result, damages }
}

function readAll(head: Head): unknown {
  const descriptor = head.descriptor()
  const reader = new HeadReader(descriptor)
  const found: unknown[] = []
  for (const set = reader.select([new Matcher('!=', '__name__', '')], -Infinity, Infinity); set.next();) {
    const samples = new SampleColumns()
    const histograms = new HistogramColumns()
    set.samples(samples)
    set.histograms?.(histograms)
    const { length } = samples
    found.push([set.labels().key(), [...samples.times.slice(0, length)], [...samples.values.slice(0, length)], histograms.length])
  }
  reader.close()
  head.releaseReader(descriptor)
  return found
}

function nextSegment(): number {
  return listLog(join(directory, 'wal')).nextSegment
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
  const threaded = await replay((segments) => new LogDecodingThread(segments), true)
  const local = await replay(openLocalSource, false)
  expect(local.result.samples).toBe(20_000 * 4 * 0.9)
  expect(counted(threaded.result)).toEqual(counted(local.result))
  expect(stateOf(threaded.head)).toEqual(stateOf(local.head))
})

test.each([
  ['floats only', Infinity],
  ['histograms at the end', 3],
])('a head whose floats the thread appends is the one that is filled without: %s', { timeout: 60_000 }, async (_, histogramsFrom) => {
  writeLog(8_000, 6, histogramsFrom)
  const threaded = await replay((segments) => new LogDecodingThread(segments), true)
  const local = await replay(openLocalSource, false)
  expect(counted(threaded.result)).toEqual(counted(local.result))
  expect(stateOf(threaded.head)).toEqual(stateOf(local.head))
  expect(readAll(threaded.head)).toEqual(readAll(local.head))
  // It goes on as the other one.
  for (const head of [threaded.head, local.head]) {
    for (let ref = 1; ref <= 8_000; ref++) head.append(ref, nowMs, ref, 0)
    head.commit()
  }
  expect(readAll(threaded.head)).toEqual(readAll(local.head))
})

test('floats that are out of order, repeated or of no series are counted by the thread as without it', { timeout: 60_000 }, async () => {
  writeLog(2_000, 3, Infinity)
  const builder = new RecordBuilder()
  builder.begin(samplesRecord)
  value[0] = 2 * 7
  // The newest one again, with its value and with another; one in between; one of no series; one that is new; one of no series at the end.
  const samples = [
    [8, -98_000],
    [9, -98_000],
    [10, -99_500],
    [90_000, 0],
    [11, 0],
    [90_001, 0],
  ] as const
  for (const [ref, timeMs] of samples) builder.addSample(ref, nowMs + timeMs, words[0]!, words[1]!)
  const writer = new WalWriter({ directory: join(directory, 'wal'), firstSegment: nextSegment(), compresses: false })
  writer.writeRecords([builder.view()])
  await writer.close()
  const threaded = await replay((segments) => new LogDecodingThread(segments), true)
  const local = await replay(openLocalSource, false)
  expect(local.result).toMatchObject({ samples: 2_000 * 3 + 2, samplesUnknown: 2, samplesOutOfOrder: 2 })
  expect(counted(threaded.result)).toEqual(counted(local.result))
  expect(threaded.result.samplesOutOfOrder).toBe(2)
  expect(readAll(threaded.head)).toEqual(readAll(local.head))
})

test('the thread puts closed chunks into files, and passes over what is in files', { timeout: 60_000 }, async () => {
  writeLog(500, 300, Infinity)
  const local = await replay(openLocalSource, false)
  const filed: number[] = []
  for (let round = 0; round < 2; round++) {
    const head = newHead()
    const references = new LogReferences()
    const { restored, writer } = finishSteps(
      openHeadChunks(directory, head, references, -Infinity, { noteFailure: () => {} }, silentLogger),
    )
    const steps = replayLogInSteps(join(directory, 'wal'), head, {
      onDamage: () => {},
      references,
      restored,
      openSource: (segments) => new LogDecodingThread(segments),
    })
    await takeStepsInTurns(steps, new AbortController().signal)
    restored.end()
    expect(readAll(head)).toEqual(readAll(local.head))
    expect(head.stats().chunks).toBe(local.head.stats().chunks)
    filed.push(head.stats().chunksFiled)
    await writer.close()
    expect(readdirSync(join(directory, 'chunks_head'))).toEqual(['000001'])
    expect(writer.file).toBe(2)
  }
  expect(filed).toEqual([1000, 0])
})

test('damage that the thread meets is repaired and told as without it', { timeout: 60_000 }, async () => {
  writeLog(5_000, 3)
  const path = join(directory, 'wal', '00000000')
  const bytes = readFileSync(path)
  bytes[100_000]! ^= 0x55
  writeFileSync(path, bytes)
  const { result, damages } = await replay((segments) => new LogDecodingThread(segments), true)
  expect(damages.map(({ kind }) => kind)).toEqual(['corrupt'])
  const again = await replay(openLocalSource, false)
  expect(again.damages).toEqual([])
  expect(counted(again.result)).toEqual(counted(result))
})

test('a segment that cannot be read fails the replay with what the system said', async () => {
  writeLog(10, 1)
  const steps = replayLogInSteps(join(directory, 'wal'), newHead(), {
    onDamage: () => {},
    openSource: () => new LogDecodingThread([{ index: 0, path: join(directory, 'missing') }]),
  })
  await expect(takeStepsInTurns(steps, new AbortController().signal)).rejects.toThrow('ENOENT')
})

test('a replay that is given up ends its thread', async () => {
  writeLog(20_000, 1)
  const abort = new AbortController()
  const head = newHead()
  const steps = replayLogInSteps(join(directory, 'wal'), head, {
    onDamage: () => {},
    openSource: (segments) => new LogDecodingThread(segments),
  })
  const taken = takeStepsInTurns(steps, abort.signal)
  abort.abort(new Error('enough'))
  await expect(taken).rejects.toThrow('enough')
  expect(steps.next().done).toBe(true)
})
