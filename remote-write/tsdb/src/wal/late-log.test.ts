import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { silentLogger } from '@narthex/service/logger'
import { HeadReader } from '../select/head-reader.ts'
import { openStore } from '../open-store.ts'
import type { Store } from '../store.ts'
import type { LoggedHistogram } from './histogram-payload.ts'
import { LateLog } from './late-log.ts'
import { readSegment } from './read-segments.ts'
import { RecordBuilder } from './record-builder.ts'
import { RecordEntries } from './record-entries.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import {
  customFloatHistogramSamplesRecord,
  customHistogramSamplesRecord,
  exemplarsRecord,
  floatHistogramSamplesRecord,
  floatHistogramSamplesV2Record,
  histogramSamplesRecord,
  histogramSamplesV2Record,
  mmapMarkersRecord,
  samplesRecord,
} from './wal-format.ts'
import { histogramOf } from './wal.test-histograms.ts'
import { WalWriter } from './wal-writer.ts'
import { WblWriter } from './wbl.ts'

let directory = ''
let store: Store

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-late-log-'))
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

function open(memoryBytesMax = 64 * 2 ** 20): void {
  // What is tested here is in the logs.
  const keepsHeadState = false
  store = openStore({
    directory,
    memoryBytesMax,
    outOfOrderWindowMs: 1e9,
    retentionMs: 0,
    now: () => 1e9,
    log: silentLogger,
    keepsHeadState,
  })
}

function put(name: string, ...times: number[]): void {
  const ref = store.head.refByLabels(Labels.from({ __name__: name }))
  for (const time of times) expect(store.head.append(ref, time, 0, 0x3ff00000)).toBe(0)
  store.head.commit()
}

function times(name: string): number[] {
  const set = new HeadReader(store.head.descriptor()).select([new Matcher('=', '__name__', name)], -Infinity, Infinity)
  const columns = new SampleColumns()
  if (set.next()) set.samples(columns)
  return Array.from(columns.times.subarray(0, columns.length))
}

function wbl(): string {
  return join(directory, 'wbl')
}

it('is not there before the first late sample', () => {
  open()
  put('a', 1000, 2000)
  expect(existsSync(wbl())).toBe(false)
  put('a', 1500)
  expect(readdirSync(wbl())).toEqual(['00000000'])
})

it('has late samples, and the log has all, for who follows it', async () => {
  open()
  put('a', 1000, 2000, 1500)
  put('a', 3000, 2500)
  await store.close()
  const read = (path: string): number[] => {
    const found: number[] = []
    readSegment(path, true, new RecordEntries(), (type, _record, { times: each, length }) => {
      if (type === samplesRecord) found.push(...each.subarray(0, length))
    })
    return found
  }
  expect(read(join(directory, 'wal', '00000000'))).toEqual([1000, 2000, 1500, 3000, 2500])
  expect(read(join(wbl(), '00000000'))).toEqual([1500, 2500])
})

it('loses a torn end, and goes on', async () => {
  open()
  put('a', 1000, 2000, 1500)
  put('a', 1600)
  await store.close()
  const path = join(wbl(), '00000000')
  truncateSync(path, statSync(path).size - 3)
  open()
  expect(times('a')).toEqual([1000, 1500, 2000])
  put('a', 1600)
  await store.close()
  open()
  expect(times('a')).toEqual([1000, 1500, 1600, 2000])
})

it('has references that are not given out again, though the log does not know them', async () => {
  open()
  put('a', 1000)
  await store.close()
  mkdirSync(wbl())
  const writer = new WblWriter({ directory: wbl(), firstSegment: 0, compresses: false })
  writer.addSample(99, 500, 0, 0)
  writer.commit()
  await writer.close()
  open()
  put('b', 1000)
  expect(store.wal.references.highest).toBe(100)
  await store.close()
  open()
  expect(times('b')).toEqual([1000])
})

it('of another program is not cut down when it has records that are not read', async () => {
  open()
  put('a', 1000, 2000, 1500)
  await store.close()
  const builder = new RecordBuilder()
  builder.begin(exemplarsRecord)
  builder.addExemplar(1, 1200, 0, 0, [])
  const other = new WalWriter({ directory: wbl(), firstSegment: 1, compresses: false })
  other.writeRecords([builder.view()])
  await other.close()
  open()
  expect(times('a')).toEqual([1000, 1500, 2000])
  // Seven hours later: the head is cut, and with it the late sample.
  for (let time = 3000; time < 25_200_000; time += 60_000) put('a', time)
  await store.compactor.run()
  expect(store.blocks.blocks.length).toBeGreaterThan(0)
  expect(readdirSync(wbl())).toEqual(expect.arrayContaining(['00000000', '00000001']))
})

/** From now on late samples go to a log on a disk that takes nothing as long as it is full. */
function logOnFullDisk(): { late: LateLog; isFull: boolean } {
  const late = new LateLog({
    wal: store.wal,
    directory: wbl(),
    nextSegment: 0,
    hasUnread: false,
    compresses: false,
    refusal: () => (disk.isFull ? 'no room' : undefined),
  })
  const disk = { late, isFull: true }
  store.head.startLogging(late)
  return disk
}

it('takes nothing of a commit that it cannot write, and all of it the next time', () => {
  open()
  put('a', 1000, 2000)
  const disk = logOnFullDisk()
  const ref = store.head.refByLabels(Labels.from({ __name__: 'a' }))
  store.head.append(ref, 3000, 0, 0x3ff00000)
  store.head.append(ref, 1500, 0, 0x3ff00000)
  expect(() => store.head.commit()).toThrow('no room')
  expect(times('a')).toEqual([1000, 2000])
  disk.isFull = false
  put('a', 3000, 1500)
  expect(times('a')).toEqual([1000, 1500, 2000, 3000])
  return disk.late.close()
})

describe('histograms', () => {
  /** Time and sum of what there is. */
  function histograms(series: string): string[] {
    const set = new HeadReader(store.head.descriptor()).select([new Matcher('=', '__name__', series)], -Infinity, Infinity)
    const columns = new HistogramColumns()
    if (set.next()) set.histograms?.(columns)
    return Array.from({ length: columns.length }, (_, i) => {
      const { isFloat, schema } = columns.histogram(i)
      return `${columns.times[i]} ${columns.isStale(i) ? 'stale' : isFloat ? 'floats' : 'integers'} ${schema}`
    })
  }

  async function writeWbl(
    segment: number,
    put: (add: (type: number, build: (builder: RecordBuilder) => void) => void) => void,
  ): Promise<void> {
    mkdirSync(wbl(), { recursive: true })
    const builder = new RecordBuilder()
    const writer = new WalWriter({ directory: wbl(), firstSegment: segment, compresses: true })
    put((type, build) => {
      builder.begin(type)
      build(builder)
      writer.writeRecords([builder.view()])
    })
    await writer.close()
  }

  it('of another program are read from records of all types, between its markers', async () => {
    open()
    put('a', 100_000)
    await store.close()
    const integers = histogramOf(false)
    const floats = histogramOf(true)
    const custom = (isFloat: boolean): LoggedHistogram => {
      const logged = histogramOf(isFloat, { customValues: [1, 2, 3] })
      return { ...logged, histogram: { ...logged.histogram, positiveSpans: [{ offset: 0, length: 3 }] } }
    }
    await writeWbl(0, (add) => {
      add(histogramSamplesRecord, (builder) => {
        builder.addHistogram(1, 1200, integers)
        builder.addHistogram(1, 1100, histogramOf(false, { isStale: true }))
        // Of a series that the log does not know, and of a schema that nobody does.
        builder.addHistogram(77, 1100, integers)
        builder.addHistogram(1, 1150, histogramOf(false, { schema: 60 }))
      })
      add(floatHistogramSamplesRecord, (builder) => builder.addHistogram(1, 1300, floats))
      add(mmapMarkersRecord, (builder) => builder.addMarker(1, 1, 8))
      add(customHistogramSamplesRecord, (builder) => builder.addHistogram(1, 900, custom(false)))
      add(customFloatHistogramSamplesRecord, (builder) => builder.addHistogram(1, 950, custom(true)))
      add(samplesRecord, (builder) => builder.addSample(1, 1250, 0, 0))
      add(histogramSamplesV2Record, (builder) => builder.addHistogram(1, 1400, histogramOf(false, { schema: 12 }), 50))
      // Of a time that is there: what came first stays, be it a float.
      add(floatHistogramSamplesV2Record, (builder) => {
        for (const timeMs of [1350, 1200, 1250]) builder.addHistogram(1, timeMs, floats, 50)
      })
      add(samplesRecord, (builder) => builder.addSample(1, 1300, 0, 0))
    })
    open()
    const want = [
      '900 integers -53',
      '950 floats -53',
      '1100 stale 0',
      '1200 integers 3',
      '1300 floats 3',
      '1350 floats 3',
      '1400 integers 8',
    ]
    expect(histograms('a')).toEqual(want)
    expect(times('a')).toEqual([1250, 100_000])
    expect(store.wal.references.highest).toBe(77)
    // It is ours now: with the blocks that have all of it, its segments go.
    for (let time = 101_000; time < 25_200_000; time += 60_000) put('a', time)
    await store.compactor.run()
    expect(readdirSync(wbl())).not.toContain('00000000')
  })

  it('lose a torn end, and go on', async () => {
    open()
    put('a', 100_000)
    const ref = store.head.refByLabels(Labels.from({ __name__: 'a' }))
    const putLate = (timeMs: number): void => {
      expect(store.head.appendHistogram(ref, timeMs, { ...histogramOf(false).histogram, count: 8 })).toBe(0)
      store.head.commit()
    }
    putLate(1500)
    putLate(1400)
    await store.close()
    const path = join(wbl(), '00000000')
    truncateSync(path, statSync(path).size - 3)
    open()
    expect(histograms('a')).toEqual(['1500 integers 3'])
    putLate(1400)
    await store.close()
    open()
    expect(histograms('a')).toEqual(['1400 integers 3', '1500 integers 3'])
  })

  it('that the head has no memory for stay in the log', async () => {
    open()
    put('a', 100_000)
    await store.close()
    const large = histogramOf(true)
    const counts = Array.from({ length: 8000 }, (_, i) => i)
    const histogram = { ...large.histogram, positiveSpans: [{ offset: 0, length: 8000 }], positiveCounts: counts }
    await writeWbl(0, (add) => {
      for (let i = 0; i < 200; i++) {
        add(floatHistogramSamplesRecord, (builder) => builder.addHistogram(1, 1000 + i, { ...large, histogram }))
      }
    })
    open(8 * 2 ** 20)
    const found = histograms('a').length
    expect(found).toBeGreaterThan(20)
    expect(found).toBeLessThan(128)
    expect(store.head.usedBytes).toBeLessThan(8 * 2 ** 20)
    await store.close()
    open(64 * 2 ** 20)
    expect(histograms('a').length).toBe(200)
  })

  it('are taken wholly or not at all when a log cannot be written', async () => {
    open()
    put('a', 1000, 2000)
    const disk = logOnFullDisk()
    const ref = store.head.refByLabels(Labels.from({ __name__: 'a' }))
    const append = (): void => {
      expect(store.head.appendHistogram(ref, 3000, { ...histogramOf(false).histogram, count: 8 })).toBe(0)
      expect(store.head.appendHistogram(ref, 1500, { ...histogramOf(false).histogram, count: 8 })).toBe(0)
    }
    append()
    expect(() => store.head.commit()).toThrow('no room')
    expect(histograms('a')).toEqual([])
    disk.isFull = false
    append()
    store.head.commit()
    expect(histograms('a')).toEqual(['1500 integers 3', '3000 integers 3'])
    await disk.late.close()
  })
})
