import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { SampleColumns } from '@narthex/model/sample-columns'
import { createLogger } from '@narthex/service/logger'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { accepted, duplicateSample } from './head/append-result.ts'
import { Head } from './head/head.ts'
import { openStore } from './open-store.ts'
import { HeadReader } from './select/head-reader.ts'
import type { Store } from './store.ts'
import { RecordBuilder } from './wal/record-builder.ts'
import { mmapMarkersRecord } from './wal/wal-format.ts'
import { WalWriter } from './wal/wal-writer.ts'
import { hasMarkers } from './wal/wbl.ts'

const nowMs = 1_800_000_000_000
const rangeMs = 7_200_000
const startMs = nowMs - (nowMs % rangeMs) + 1000
const all = [new Matcher('!=', '__name__', '')]

let directory = ''
let warnings: string[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-head-chunks-'))
  warnings = []
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function open(path = directory): Store {
  const log = createLogger({ level: 'warn', format: 'logfmt', write: (line) => void warnings.push(line) })
  // Ten times the time of the samples, so that the clock is no limit.
  return openStore({ directory: path, log, now: () => 10 * nowMs, keepsHeadState: false })
}

const value = new Float64Array(1)
const words = new Uint32Array(value.buffer)

function append(head: Head, ref: number, timeMs: number, sample: number): number {
  value[0] = sample
  return head.append(ref, timeMs, words[0]!, words[1]!)
}

function histogramOf(count: number): NativeHistogram {
  return {
    schema: 1,
    isFloat: false,
    count: 1 + 3 * count,
    sum: count / 2,
    zeroThreshold: 0.001,
    zeroCount: 1,
    positiveSpans: [{ offset: count % 3, length: 2 }],
    negativeSpans: [],
    positiveDeltas: [count, count],
    negativeDeltas: [],
    positiveCounts: [],
    negativeCounts: [],
    customValues: [],
    isGauge: false,
  }
}

/** Series `i` with histograms if it is odd; every step a sample of each series. */
function fill(head: Head, series: number, from: number, to: number, stepMs = 15_000): readonly number[] {
  const refs = Array.from({ length: series }, (_, i) => head.refByLabels(Labels.from({ __name__: 'filed', i: String(i) })))
  for (let step = from; step < to; step++) {
    for (const [i, ref] of refs.entries()) {
      const timeMs = startMs + step * stepMs + i
      const result = i % 2 === 1 ? head.appendHistogram(ref, timeMs, histogramOf(step)) : append(head, ref, timeMs, Math.sin(step) * i)
      expect(result).toBe(accepted)
    }
    head.commit()
  }
  return refs
}

type Contents = Record<string, { floats: [number, number][]; histograms: [number, number, number][] }>

function read(head: Head, minTimeMs = -Infinity, maxTimeMs = Infinity): Contents {
  const descriptor = head.descriptor()
  const reader = new HeadReader(descriptor)
  try {
    return contentsOf(reader, minTimeMs, maxTimeMs)
  } finally {
    reader.close()
    head.releaseReader(descriptor)
  }
}

function contentsOf(reader: HeadReader, minTimeMs = -Infinity, maxTimeMs = Infinity): Contents {
  const found: Contents = {}
  for (const set = reader.select(all, minTimeMs, maxTimeMs); set.next();) {
    const floats = new SampleColumns()
    const histograms = new HistogramColumns()
    set.samples(floats)
    set.histograms?.(histograms)
    found[set.labels().toString()] = {
      floats: Array.from({ length: floats.length }, (_, i) => [floats.times[i]!, floats.values[i]!]),
      histograms: Array.from({ length: histograms.length }, (_, i) => [histograms.times[i]!, histograms.counts[i]!, histograms.sums[i]!]),
    }
  }
  return found
}

/** What a head has that keeps all in memory. */
function expected(series: number, to: number): Contents {
  const head = new Head({ memoryBytesMax: 2 ** 30, now: () => 10 * nowMs })
  fill(head, series, 0, to)
  return read(head)
}

function files(): string[] {
  return readdirSync(join(directory, 'chunks_head')).sort()
}

describe('closed chunks of the head', () => {
  it('go into files, and are read from there as from memory', async () => {
    const store = open()
    fill(store.head, 6, 0, 400)
    store.head.fileChunks()
    expect(store.head.stats().chunksFiled).toBeGreaterThan(12)
    expect(files()).toEqual(['000001'])
    expect(read(store.head)).toEqual(expected(6, 400))
    const [fromMs, toMs] = [startMs + 100 * 15_000, startMs + 130 * 15_000]
    const part = read(store.head, fromMs, toMs)
    for (const { floats, histograms } of Object.values(part)) expect(floats.length + histograms.length).toBeGreaterThanOrEqual(30)
    expect(
      Object.values(part)
        .flatMap(({ floats }) => floats.map(([timeMs]) => timeMs))
        .every((timeMs) => timeMs >= fromMs && timeMs <= toMs),
    ).toBe(true)
    await store.close()
  })

  it('give their memory back', async () => {
    const store = open()
    const { head } = store
    fill(head, 40, 0, 130)
    head.fileChunks()
    const { usedBytes } = head.memory.chunks
    for (let from = 130; from < 470; from += 20) {
      fill(head, 40, from, from + 20)
      while (head.fileChunks(0.1));
    }
    // What is open takes what was closed; each closed one 32 bytes.
    expect(head.memory.chunks.usedBytes).toBeLessThan(usedBytes + head.stats().chunks * 32 + 64 * 40)
    await store.close()
  })

  it('wait for them in a queue of 65,536 at most: the oldest of those that one commit closes beyond it are written within it', async () => {
    const store = open()
    const { head } = store
    const series = 70_000
    const refs = Array.from({ length: series }, (_, i) => head.refByLabels(Labels.from({ __name__: 'filed', i: String(i) })))
    for (const range of [0, 1]) {
      for (const [i, ref] of refs.entries()) append(head, ref, startMs + range * rangeMs, i)
      head.commit()
    }
    expect(head.closedChunks).toBeGreaterThan(0)
    expect(head.closedChunks).toBeLessThanOrEqual(65_536)
    head.fileChunks()
    expect(head.stats().chunksFiled).toBe(series)
    const found = Object.values(read(head))
    expect(found).toHaveLength(series)
    expect(found.every(({ floats: [first, second] }) => first![1] === second![1] && second![0] - first![0] === rangeMs)).toBe(true)
    expect(new Set(found.map(({ floats }) => floats[0]![1])).size).toBe(series)
    await store.close()
  })

  it.each(['is closed', 'is killed'])('are there again after a server %s, and so is what was open', async (how) => {
    const store = open()
    fill(store.head, 5, 0, 300)
    store.head.fileChunks()
    const filed = store.head.stats().chunksFiled
    if (how === 'is closed') await store.close()
    else await store.sync()
    const copy = `${directory}.copy`
    cpSync(directory, copy, { recursive: true })
    if (how === 'is killed') await store.close()
    try {
      const again = open(copy)
      expect(read(again.head)).toEqual(expected(5, 300))
      // The last sample of each series is known as before: once more it is none, another one at its time is refused.
      const refs = fill(again.head, 5, 0, 0)
      const lastMs = startMs + 299 * 15_000
      expect(append(again.head, refs[2]!, lastMs + 2, Math.sin(299) * 2)).toBe(accepted)
      expect(append(again.head, refs[2]!, lastMs + 2, 77)).toBe(duplicateSample)
      expect(again.head.appendHistogram(refs[1]!, lastMs + 1, histogramOf(299))).toBe(accepted)
      again.head.rollback()
      fill(again.head, 5, 300, 500)
      again.head.fileChunks()
      expect(read(again.head)).toEqual(expected(5, 500))
      expect(again.head.stats().chunksFiled).toBeGreaterThan(0)
      await again.close()
      const third = open(copy)
      expect(read(third.head)).toEqual(expected(5, 500))
      expect(third.head.stats().chunks).toBeGreaterThan(filed)
      await third.close()
      expect(warnings).toEqual([])
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  })

  it('whose last sample ends a file are known by it after a restart', async () => {
    const store = open()
    // A chunk ends with the 240th sample of a millisecond each, and nothing follows it in the log but one.
    fill(store.head, 2, 0, 241, 1)
    await store.close()
    const again = open()
    const refs = fill(again.head, 2, 0, 0)
    expect(append(again.head, refs[0]!, startMs + 240, 0)).toBe(accepted)
    expect(append(again.head, refs[0]!, startMs + 240, 1)).toBe(duplicateSample)
    again.head.rollback()
    await again.close()
  })

  it('that are damaged are set aside, and read from the log', async () => {
    const store = open()
    fill(store.head, 5, 0, 300)
    await store.close()
    const path = join(directory, 'chunks_head', '000001')
    const bytes = readFileSync(path)
    bytes[Math.floor(bytes.length / 2)]! ^= 1
    writeFileSync(path, bytes)
    const again = open()
    expect(read(again.head)).toEqual(expected(5, 300))
    expect(warnings.join('\n')).toContain('Damaged head chunks set aside')
    await again.close()
  })

  it('without the log of their series are not used, and their references are not given out again', async () => {
    const store = open()
    fill(store.head, 5, 0, 300)
    await store.close()
    for (const name of readdirSync(join(directory, 'wal'))) rmSync(join(directory, 'wal', name), { recursive: true })
    const again = open()
    expect(read(again.head)).toEqual({})
    expect(again.head.stats().chunks).toBe(0)
    fill(again.head, 5, 0, 300)
    expect(again.wal.references.of(1)).toBe(6)
    expect(read(again.head)).toEqual(expected(5, 300))
    await again.close()
    const third = open()
    expect(read(third.head)).toEqual(expected(5, 300))
    expect(warnings).toEqual([])
    await third.close()
  })

  it('are read by a reader that began before they were closed as far as it may', async () => {
    const store = open()
    const { head } = store
    fill(head, 4, 0, 110)
    const descriptor = head.descriptor()
    const reader = new HeadReader(descriptor)
    const set = reader.select(all, -Infinity, Infinity)
    fill(head, 4, 110, 300)
    head.fileChunks()
    const wanted = expected(4, 110)
    while (set.next()) {
      const floats = new SampleColumns()
      const histograms = new HistogramColumns()
      set.samples(floats)
      set.histograms?.(histograms)
      const { floats: wantedFloats, histograms: wantedHistograms } = wanted[set.labels().toString()]!
      expect(Array.from(floats.times.subarray(0, floats.length))).toEqual(wantedFloats.map(([timeMs]) => timeMs))
      expect(Array.from(histograms.times.subarray(0, histograms.length))).toEqual(wantedHistograms.map(([timeMs]) => timeMs))
    }
    reader.close()
    head.releaseReader(descriptor)
    await store.close()
  })

  it('are cut into blocks, and their files go when no reader can ask for them', async () => {
    const store = open()
    const { head, compactor } = store
    fill(head, 4, 0, 900)
    const descriptor = head.descriptor()
    const reader = new HeadReader(descriptor)
    const set = reader.select(all, -Infinity, Infinity)
    await compactor.run()
    expect(compactor.counts).toMatchObject({ cuts: 1, failed: 0 })
    fill(head, 4, 900, 1400)
    await compactor.run()
    expect(compactor.counts).toMatchObject({ cuts: 2, failed: 0 })
    expect(set.next()).toBe(true)
    const before = files()
    reader.close()
    head.releaseReader(descriptor)
    head.fileChunks()
    await store.close()
    expect(files().length).toBeLessThan(before.length)
    const blocks = store.blocks.blocks.reduce((sum, { meta }) => sum + meta.stats!.numSamples!, 0)
    const again = open()
    const left = Object.values(read(again.head)).reduce((sum, { floats, histograms }) => sum + floats.length + histograms.length, 0)
    expect(blocks + left).toBe(4 * 1400)
    await again.close()
  })
})

describe('files that cannot be written', () => {
  it('leave the chunks in memory until they can, and a restart finds each sample once', async () => {
    const store = open()
    const { head } = store
    fill(head, 4, 0, 10)
    // No file can be made where a directory of its name stands.
    const blocked = join(directory, 'chunks_head', '000001')
    rmSync(blocked, { force: true })
    cpSync(join(directory, 'wal'), blocked, { recursive: true })
    fill(head, 4, 10, 300)
    head.fileChunks()
    expect(head.stats().chunksFiled).toBe(0)
    expect(warnings.join('\n')).toContain('Writing chunks of the head failed; they stay in memory')
    expect(read(head)).toEqual(expected(4, 300))
    rmSync(blocked, { recursive: true })
    fill(head, 4, 300, 500)
    head.fileChunks()
    expect(head.stats().chunksFiled).toBeGreaterThan(8)
    expect(read(head)).toEqual(expected(4, 500))
    await store.close()
    const again = open()
    expect(read(again.head)).toEqual(expected(4, 500))
    await again.close()
  })
})

describe("another program's late samples with markers", () => {
  it('hold closed chunks in memory until they are cut into blocks', async () => {
    mkdirSync(join(directory, 'wbl'))
    const wbl = new WalWriter({ directory: join(directory, 'wbl'), firstSegment: 0, compresses: false })
    const builder = new RecordBuilder()
    builder.begin(mmapMarkersRecord)
    builder.addMarker(1, 1, 8)
    wbl.writeRecords([builder.view()])
    await wbl.close()
    expect(hasMarkers(join(directory, 'wbl'))).toBe(true)
    let store = open()
    fill(store.head, 4, 0, 300)
    store.head.fileChunks()
    expect(store.head.stats().chunksFiled).toBe(0)
    await store.close()
    store = open()
    fill(store.head, 4, 300, 900)
    store.head.fileChunks()
    expect(store.head.stats().chunksFiled).toBe(0)
    expect(files()).toEqual([])
    expect(read(store.head)).toEqual(expected(4, 900))
    await store.compactor.run()
    expect(store.compactor.counts).toMatchObject({ cuts: 1, failed: 0 })
    expect(hasMarkers(join(directory, 'wbl'))).toBe(false)
    fill(store.head, 4, 900, 1400)
    store.head.fileChunks()
    expect(store.head.stats().chunksFiled).toBeGreaterThan(8)
    await store.close()
  })
})

describe('any series', () => {
  it('are the same from files, after restarts and after a cut', async () => {
    const sample = fc.record({
      series: fc.nat(2),
      deltaMs: fc.constantFrom(1, 15_000, 15_001, 60_000, 400_000),
      kind: fc.nat(11),
      value: fc.nat(40),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(sample, { minLength: 1, maxLength: 700 }),
        fc.array(fc.nat(700), { maxLength: 3 }),
        async (samples, restarts) => {
          rmSync(directory, { recursive: true, force: true })
          const plain = new Head({ memoryBytesMax: 2 ** 30, now: () => 10 * nowMs })
          let store = open()
          let timeMs = startMs
          for (const [i, { series, deltaMs, kind, value: sampled }] of samples.entries()) {
            timeMs += deltaMs
            for (const head of [plain, store.head]) {
              const ref = head.refByLabels(Labels.from({ __name__: 'any', series: String(series) }))
              if (kind === 0) head.appendHistogram(ref, timeMs, histogramOf(sampled))
              else append(head, ref, timeMs, kind === 1 ? Number.NaN : sampled / 7)
              head.commit()
            }
            if (i % 50 === 49) store.head.fileChunks()
            if (restarts.includes(i)) {
              await store.close()
              store = open()
            }
          }
          const minTimeMs = timeMs - rangeMs / 2
          expect(read(store.head, minTimeMs)).toEqual(read(plain, minTimeMs))
          await store.close()
        },
      ),
      { numRuns: 40 },
    )
    expect(warnings).toEqual([])
  }, 60_000)
})
