import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { SampleColumns } from '@narthex/model/sample-columns'
import { silentLogger } from '@narthex/service/logger'
import { decodeChunk } from '../chunk/decode-chunk.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { describeHistogram } from '../chunk/testdata/histogram-walk.ts'
import { openStore } from '../open-store.ts'
import { BlockShelf } from '../select/block-shelf.ts'
import { HeadReader } from '../select/head-reader.ts'
import { MergedQueryable } from '../select/merged-queryable.ts'
import type { Queryable } from '../select/queryable.ts'
import type { Store } from '../store.ts'
import { readSegment } from '../wal/read-segments.ts'
import { RecordEntries } from '../wal/record-entries.ts'
import type { CompactionTask } from './compaction-protocol.ts'
import { doCompaction } from './compaction-work.ts'

const rangeMs = 10_000
export const windowMs = 25_000
export const all = [new Matcher('=', '__name__', 'm')]

/** A sample: a histogram, a float, or the end of histograms. */
export type What = NativeHistogram | number | 'stale'

export type Found = Record<string, [timeMs: number, text: string][]>

/** A store that takes late samples, in a directory of its own, whose compactions happen in this thread. */
export class LateTrial {
  directory = mkdtempSync(join(tmpdir(), 'narthex-late-histograms-'))
  store: Store
  /** Before and after each. */
  onTask: (task: CompactionTask) => void = () => {}
  /** Tasks that fail before they do anything. */
  failing: (task: CompactionTask) => boolean = () => false

  constructor() {
    this.store = this.open()
  }

  open(memoryBytesMax = 64 * 2 ** 20): Store {
    return (this.store = openStore({
      directory: this.directory,
      chunkRangeMs: rangeMs,
      maxBlockRangeMs: 9 * rangeMs,
      memoryBytesMax,
      retentionMs: 1e9,
      outOfOrderWindowMs: windowMs,
      customBuckets: true,
      now: () => 1e9,
      log: silentLogger,
      thread: {
        run: async (task) => {
          this.onTask(task)
          if (this.failing(task)) return { kind: 'failed', reason: 'no room', isDamage: false }
          const answer = await doCompaction(task)
          this.onTask(task)
          return answer
        },
        end: () => Promise.resolve(),
      },
    }))
  }

  async remove(): Promise<void> {
    await this.store.close()
    rmSync(this.directory, { recursive: true, force: true })
  }

  async restart(): Promise<void> {
    await this.store.close()
    this.open()
  }

  refOf(series: string): number {
    return this.store.head.refByLabels(Labels.from({ __name__: 'm', series }))
  }

  append(series: string, timeMs: number, what: What): number {
    const { head } = this.store
    if (what === 'stale') return head.appendStaleHistogram(this.refOf(series), timeMs, false)
    if (typeof what === 'object') return head.appendHistogram(this.refOf(series), timeMs, what)
    const words = new Uint32Array(2)
    new Float64Array(words.buffer)[0] = what
    return head.append(this.refOf(series), timeMs, words[0]!, words[1]!)
  }

  /** Histograms of as many observations as the time says. */
  put(series: string, ...times: number[]): void {
    for (const timeMs of times) strictEqual(this.append(series, timeMs, makeHistogram(timeMs)), 0)
    this.store.head.commit()
  }

  read(minTimeMs = -Infinity, maxTimeMs = Infinity): Found {
    const descriptor = this.store.head.descriptor()
    const head = new HeadReader(descriptor)
    head.deletions = this.store.head.deletions.view
    const shelf = new BlockShelf(2 ** 20, (path, reason) => ok(false, `${path} ${reason}`))
    shelf.list(this.store.blocks.shelf)
    const found = readFrom(new MergedQueryable([...shelf.queryables(), head]), minTimeMs, maxTimeMs)
    head.release()
    this.store.head.releaseReader(descriptor)
    shelf.close()
    return found
  }

  times(series: string, minTimeMs?: number, maxTimeMs?: number): number[] {
    return (this.read(minTimeMs, maxTimeMs)[series] ?? []).map(([timeMs, text]) => {
      strictEqual(text, describeHistogram(makeHistogram(timeMs)))
      return timeMs
    })
  }

  wblSegments(): string[] {
    return readdirSync(join(this.directory, 'wbl'))
  }

  /** Floats in order, so that the ranges before are cut. */
  fill(fromMs: number, toMs: number): void {
    for (let timeMs = fromMs; timeMs <= toMs; timeMs += 1000) strictEqual(this.append('clock', timeMs, timeMs), 0)
    this.store.head.commit()
  }

  /** The types of the records, and the times in them. */
  readLog(name: string): [type: number, times: number[]][] {
    const found: [number, number[]][] = []
    readSegment(join(this.directory, name, '00000000'), true, new RecordEntries(), (type, _record, { times: each, length }) => {
      if (type !== 1 && type !== 128) found.push([type, [...each.subarray(0, length)]])
    })
    return found
  }
}

/** One of `count` observations: with other counts it has other buckets. */
export function makeHistogram(count: number, options: { isFloat?: boolean; isGauge?: boolean; isCustom?: boolean } = {}): NativeHistogram {
  const { isFloat = false, isGauge = false, isCustom = false } = options
  return {
    schema: isCustom ? -53 : 1,
    isFloat,
    count: count + 1,
    sum: count / 2,
    zeroThreshold: isCustom ? 0 : 2 ** -128,
    zeroCount: 0,
    positiveSpans: [{ offset: count % 3, length: 2 }],
    negativeSpans: [],
    positiveDeltas: isFloat ? [] : [count, 1 - count],
    negativeDeltas: [],
    positiveCounts: isFloat ? [count, 1] : [],
    negativeCounts: [],
    customValues: isCustom ? [1, 2, 3, 4] : [],
    isGauge,
  }
}

export function textOf(what: What): string {
  return typeof what === 'object' ? describeHistogram(what) : String(what)
}

/** What there is, the same as samples and as chunks. */
export function readFrom(source: Queryable, minTimeMs: number, maxTimeMs: number): Found {
  const found: Found = {}
  for (const set = source.select(all, minTimeMs, maxTimeMs); set.next();) {
    const floats = new SampleColumns()
    const histograms = new HistogramColumns()
    set.samples(floats)
    set.histograms?.(histograms)
    const samples = describeColumns(floats, histograms)
    const columns = { floats: new SampleColumns(), histograms: new HistogramColumns() }
    // Undefined: those of head and blocks overlap.
    const chunks = set.chunks?.()
    for (const chunk of chunks ?? []) decodeChunk(chunk.encoding, chunk.data, columns)
    if (chunks !== undefined) deepStrictEqual(describeColumns(columns.floats, columns.histograms), samples)
    if (samples.length > 0) found[set.labels().get('series')] = samples
  }
  return found
}

function describeColumns(floats: SampleColumns, histograms: HistogramColumns): [number, string][] {
  const samples = Array.from({ length: floats.length }, (_, i): [number, string] => [floats.times[i]!, String(floats.values[i])])
  for (let i = 0; i < histograms.length; i++) {
    samples.push([histograms.times[i]!, histograms.isStale(i) ? 'stale' : describeHistogram(histograms.histogram(i))])
    if (i > 0) ok(histograms.times[i]! > histograms.times[i - 1]!)
  }
  return samples.sort(([one], [other]) => one - other)
}
