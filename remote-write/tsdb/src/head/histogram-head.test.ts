import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { SampleColumns } from '@narthex/model/sample-columns'
import { STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import { BlockReader } from '../block/block-reader.ts'
import { PageCache } from '../block/page-cache.ts'
import { writeHeadBlock } from '../compact/head-block.ts'
import { decodeChunk } from '../chunk/decode-chunk.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { describeHistogram, HistogramWalk, makeDice } from '../chunk/testdata/histogram-walk.ts'
import { BlockQueryable } from '../select/block-queryable.ts'
import { HeadReader } from '../select/head-reader.ts'
import { MergedQueryable } from '../select/merged-queryable.ts'
import type { Queryable } from '../select/queryable.ts'
import { HistogramReplay } from '../wal/histogram-replay.ts'
import { replayLog } from '../wal/replay.ts'
import { WalWriter } from '../wal/wal-writer.ts'
import { Head } from './head.ts'

const nowMs = 1_800_000_000_000
const rangeMs = 600_000
const all = [new Matcher('=~', '__name__', '.+')]
const directories: string[] = []

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
})

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'histogram-head-'))
  directories.push(directory)
  return directory
}

function makeHead(openHistogramBytesMax = 2 ** 20): Head {
  const head = new Head({ memoryBytesMax: 2 ** 28, now: () => nowMs, chunkRangeMs: rangeMs, openHistogramBytesMax })
  head.takesCustomBuckets = true
  return head
}

type Contents = Map<string, string[]>

/** Time and what was there, per series. */
function readAll(source: Queryable, minTimeMs = -Infinity, maxTimeMs = Infinity): Contents {
  const contents: Contents = new Map()
  for (const set = source.select(all, minTimeMs, maxTimeMs); set.next();) {
    const floats = new SampleColumns()
    const histograms = new HistogramColumns()
    set.samples(floats)
    set.histograms?.(histograms)
    const samples = describeColumns(floats, histograms)
    if (samples.length > 0) contents.set(set.labels().toString(), samples)
  }
  return contents
}

function describeColumns(floats: SampleColumns, histograms: HistogramColumns): string[] {
  const samples: [number, string][] = []
  for (let i = 0; i < floats.length; i++) samples.push([floats.times[i]!, `${floats.words[2 * i]} ${floats.words[2 * i + 1]}`])
  for (let i = 0; i < histograms.length; i++) {
    const text = histograms.isStale(i) ? 'stale' : describeHistogram(histograms.histogram(i))
    samples.push([histograms.times[i]!, text])
  }
  return samples.sort(([a], [b]) => a - b).map(([time, text]) => `${time} ${text}`)
}

function readHead(head: Head): Contents {
  const descriptor = head.descriptor()
  const reader = new HeadReader(descriptor)
  const contents = readAll(reader)
  reader.release()
  head.releaseReader(descriptor)
  return contents
}

/** A head with its log and what it has to hold. */
class Trial {
  readonly directory = makeDirectory()
  readonly dice: (end: number) => number
  readonly walks: HistogramWalk[]
  readonly openBytesMax: number
  head: Head
  log = new WalWriter({ directory: this.directory, firstSegment: 0, compresses: true, syncEveryMs: 1e6 })
  committed: [number, number, string][] = []
  pending: [number, number, string][] = []
  timeMs = nowMs - 40 * 24 * 3600_000
  lastIsHistogram: boolean[] = []

  constructor(seed: number) {
    this.dice = makeDice(seed)
    // None, some and all of the open chunks have their writer at hand.
    this.openBytesMax = [0, 3000, 2 ** 20][seed % 3]!
    this.head = makeHead(this.openBytesMax)
    this.walks = Array.from({ length: 4 }, (_, i) => new HistogramWalk(this.dice, i === 3))
    this.head.startLogging(this.log)
  }

  name(series: number): Labels {
    return Labels.from({ __name__: 'h', i: String(series) })
  }

  append(): void {
    const { dice, head } = this
    this.timeMs += 1 + dice(15_000)
    const series = dice(4)
    const ref = head.refByLabels(this.name(series))
    const kind = dice(30)
    if (kind === 0) {
      expect(head.append(ref, this.timeMs, series, 0x3ff0_0000)).toBe(0)
      this.lastIsHistogram[series] = false
      this.pending.push([series, this.timeMs, `${series} ${0x3ff0_0000}`])
    } else if (kind === 1) {
      expect(head.append(ref, this.timeMs, STALE_LOW, STALE_HIGH)).toBe(0)
      this.pending.push([series, this.timeMs, this.lastIsHistogram[series] === true ? 'stale' : `${STALE_LOW} ${STALE_HIGH}`])
    } else {
      const histogram = this.walks[series]!.next()
      expect([head.appendHistogram(ref, this.timeMs, histogram), head.refusal()]).toEqual([0, ''])
      this.lastIsHistogram[series] = true
      this.pending.push([series, this.timeMs, describeHistogram(histogram)])
    }
  }

  commit(): void {
    this.head.commit()
    this.committed.push(...this.pending.splice(0))
  }

  expected(minTimeMs = -Infinity, maxTimeMs = Infinity): Contents {
    const contents: Contents = new Map()
    for (const [series, timeMs, text] of this.committed) {
      if (timeMs < minTimeMs || timeMs > maxTimeMs) continue
      const key = this.name(series).toString()
      contents.set(key, [...(contents.get(key) ?? []), `${timeMs} ${text}`])
    }
    return contents
  }

  /** The head of another process: what the log has. */
  async restart(): Promise<void> {
    await this.log.close()
    this.head = makeHead(this.openBytesMax)
    const histograms = new HistogramReplay(this.head)
    const replay = replayLog(this.directory, this.head, () => {}, Infinity, {
      histograms: (type, record, entries) => histograms.take(type, record, entries),
    })
    expect([replay.samplesOutOfOrder, histograms.counts.outOfOrder, histograms.counts.unusable]).toEqual([0, 0, 0])
    this.log = new WalWriter({
      directory: this.directory,
      firstSegment: replay.nextSegment,
      references: replay.references,
      compresses: false,
      syncEveryMs: 1e6,
    })
    this.head.startLogging(this.log)
  }
}

function sorted(contents: Contents): [string, string[]][] {
  return [...contents].sort(([a], [b]) => (a < b ? -1 : 1))
}

describe('a head with histograms', () => {
  it('holds what was committed, over restarts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 }), async (seed) => {
        const trial = new Trial(seed)
        for (let step = 0; step < 4; step++) {
          for (let commits = trial.dice(20); commits >= 0; commits--) {
            for (let samples = trial.dice(20); samples >= 0; samples--) trial.append()
            trial.commit()
          }
          if (step % 2 === 1) await trial.restart()
          expect(sorted(readHead(trial.head))).toEqual(sorted(trial.expected()))
        }
        await trial.log.close()
      }),
      { numRuns: 9 },
    )
  })

  it('gives a range to a block, with what begins before it and ends behind it cut off', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 }), async (seed) => {
        const trial = new Trial(seed)
        for (let i = 0; i < 400; i++) trial.append()
        trial.commit()
        const first = trial.committed[0]![1]
        const minTimeMs = first + trial.dice(1_000_000)
        const maxTimeMs = minTimeMs + 1 + trial.dice(2_000_000)
        const directory = makeDirectory()
        const descriptor = trial.head.descriptor()
        const meta = await writeHeadBlock(descriptor, { directory, ulid: '01HQZ0000000000000000000AA', minTimeMs, maxTimeMs })
        const expected = trial.expected(minTimeMs, maxTimeMs - 1)
        if (expected.size > 0) {
          const block = BlockReader.open(join(directory, meta!.ulid), new PageCache())
          expect(sorted(readAll(new BlockQueryable(block)))).toEqual(sorted(expected))
          // The block and the head have the same: each sample once.
          const reader = new HeadReader(descriptor)
          expect(sorted(readAll(new MergedQueryable([new BlockQueryable(block), reader])))).toEqual(sorted(trial.expected()))
          reader.release()
          block.close()
        } else expect(meta).toBeUndefined()
        await trial.log.close()
      }),
      { numRuns: 6 },
    )
  })

  it('lets go of what is before a time, and uses its memory again', async () => {
    const trial = new Trial(77)
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 300; i++) trial.append()
      trial.commit()
      const cutoffMs = trial.timeMs - 2 * rangeMs
      trial.head.dropBefore(cutoffMs, 1, trial.head.places)
      const kept = readHead(trial.head)
      const expected = trial.expected(cutoffMs)
      for (const [series, samples] of expected) expect(kept.get(series)!.slice(-samples.length)).toEqual(samples)
    }
    expect(trial.head.memory.chunks.usedBytes).toBeLessThan(250_000)
    await trial.log.close()
  })

  it('leaves out what is deleted', () => {
    const trial = new Trial(21)
    for (let i = 0; i < 200; i++) trial.append()
    trial.commit()
    const [firstMs, lastMs] = [trial.committed[50]![1], trial.committed[120]![1]]
    const ref = trial.head.refByLabels(trial.name(1))
    trial.head.deletions.add([ref], [firstMs], [lastMs])
    trial.committed = trial.committed.filter(([series, timeMs]) => series !== 1 || timeMs < firstMs || timeMs > lastMs)
    const descriptor = trial.head.descriptor()
    const reader = new HeadReader(descriptor)
    reader.deletions = trial.head.deletions.view
    expect(sorted(readAll(reader))).toEqual(sorted(trial.expected()))
    const chunks = new Map<string, string[]>()
    for (const set = reader.select(all, -Infinity, Infinity); set.next();) {
      const floats = new SampleColumns()
      const histograms = new HistogramColumns()
      for (const { encoding, data } of set.chunks!()!) decodeChunk(encoding, data, { floats, histograms })
      chunks.set(set.labels().toString(), describeColumns(floats, histograms))
    }
    expect(sorted(chunks)).toEqual(sorted(trial.expected()))
    trial.head.releaseReader(descriptor)
  })

  it('forgets what is rolled back', () => {
    const trial = new Trial(5)
    for (let i = 0; i < 50; i++) trial.append()
    trial.commit()
    const lastMs = trial.timeMs
    for (let i = 0; i < 50; i++) trial.append()
    trial.head.rollback()
    expect(sorted(readHead(trial.head))).toEqual(sorted(trial.expected()))
    trial.pending = []
    trial.timeMs = lastMs
    // What was taken back is no duplicate.
    for (let i = 0; i < 50; i++) trial.append()
    trial.commit()
    expect(sorted(readHead(trial.head))).toEqual(sorted(trial.expected()))
  })

  it('shows a reader what was there when it selected, while chunks are written anew', () => {
    const trial = new Trial(9)
    for (let i = 0; i < 60; i++) trial.append()
    trial.commit()
    const expected = trial.expected()
    const descriptor = trial.head.descriptor()
    const set = new HeadReader(descriptor).select(all, -Infinity, Infinity)
    const before = trial.committed.length
    for (let commit = 0; commit < 60; commit++) {
      trial.append()
      trial.commit()
      trial.head.reclaim()
    }
    expect(trial.committed.length).toBeGreaterThan(before)
    expect(sorted(readAll({ select: () => set, labelNames: () => [], labelValues: () => [] }))).toEqual(sorted(expected))
    trial.head.releaseReader(descriptor)
  })
})

const some: NativeHistogram = { ...new HistogramWalk(makeDice(3)).next() }

describe('appending a histogram', () => {
  it('judges order and duplicates as for floats', () => {
    const head = makeHead()
    const ref = head.refByLabels(Labels.from({ __name__: 'h' }))
    const other = { ...some, sum: some.sum + 1 }
    expect(head.appendHistogram(ref, nowMs, some)).toBe(0)
    expect(head.appendHistogram(ref, nowMs, some, 2)).toBe(0)
    expect(head.appendHistogram(ref, nowMs, other)).toBe(1)
    expect(head.append(ref, nowMs, 0, 0)).toBe(1)
    expect(head.appendHistogram(ref, nowMs - 1, other)).toBe(2)
    expect(head.appendHistogram(ref, nowMs + 600_001, other)).toBe(5)
    expect(head.appendHistogram(ref, nowMs + 600_000, other)).toBe(0)
    expect(head.appendHistogram(ref + 1, nowMs, some)).toBe(6)
    head.commit()
    expect(head.appendHistogram(ref, nowMs + 600_000, other)).toBe(0)
    expect(head.appendHistogram(ref, nowMs, some)).toBe(3)
    expect(head.counters).toMatchObject({ histogramsAppended: 2, histogramsOutOfOrder: 1, histogramsOutOfBounds: 2, duplicates: 2 })
    expect(head.append(ref, nowMs + 599_000, 0, 0)).toBe(2)
  })

  it('keeps the stale marker of a scrape as the end of its histograms', () => {
    const head = makeHead()
    const ref = head.refByLabels(Labels.from({ __name__: 'h' }))
    head.appendHistogram(ref, nowMs, some)
    expect(head.append(ref, nowMs + 1, STALE_LOW, STALE_HIGH)).toBe(0)
    expect(head.append(ref, nowMs + 1, STALE_LOW, STALE_HIGH)).toBe(0)
    head.commit()
    expect(readHead(head).get('{__name__="h"}')).toEqual([`${nowMs} ${describeHistogram(some)}`, `${nowMs + 1} stale`])
  })

  it('keeps a finer schema than 8 at 8', () => {
    const head = makeHead()
    const ref = head.refByLabels(Labels.from({ __name__: 'h' }))
    const fine = { ...some, schema: 9, positiveSpans: [{ offset: 0, length: 4 }], positiveDeltas: [1, 0, 0, 0], negativeSpans: [] }
    expect(head.appendHistogram(ref, nowMs, { ...fine, negativeDeltas: [], zeroCount: 0, count: 4 })).toBe(0)
    head.commit()
    expect(readHead(head).get('{__name__="h"}')![0]).toContain('"schema":8')
    expect(head.appendHistogram(ref, nowMs + 1, { ...fine, schema: 53 })).toBe(8)
  })

  it('refuses custom buckets unless they are on', () => {
    const head = makeHead()
    head.takesCustomBuckets = false
    const ref = head.refByLabels(Labels.from({ __name__: 'h' }))
    const custom = new HistogramWalk(makeDice(3), true).next()
    expect(head.appendHistogram(ref, nowMs, custom)).toBe(8)
    expect(head.refusal()).toContain('custom buckets are off')
    head.takesCustomBuckets = true
    expect(head.appendHistogram(ref, nowMs, custom)).toBe(0)
  })
})
