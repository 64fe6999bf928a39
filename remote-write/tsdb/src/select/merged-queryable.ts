import { sortBytewise } from '@narthex/model/compare'
import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { dropTimesOfFloats, mergeHistograms } from './histogram-samples.ts'
import { appendSamples, mergeSamples } from './merge-samples.ts'
import type { Queryable, SelectHints, SeriesSet } from './queryable.ts'
import { joinChunks } from './series-chunks.ts'
import type { SeriesChunk } from './series-chunks.ts'

/**
 * Several storages as one, such as blocks and the head: a series that several have is one series, its samples in time order, each time once.
 * Of samples with the same time that of the source named first stays; of a float and a histogram the float, as when blocks are merged.
 */
export class MergedQueryable implements Queryable {
  readonly #sources: readonly Queryable[]

  constructor(sources: readonly Queryable[]) {
    this.#sources = sources
  }

  select(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number, hints?: SelectHints): SeriesSet {
    const sources = this.#sources.filter((source) => source.overlaps?.(minTimeMs, maxTimeMs) !== false)
    if (sources.length === 1) return sources[0]!.select(matchers, minTimeMs, maxTimeMs, hints)
    // Several are merged by the order of their labels.
    return new MergedSeriesSet(sources.map((source) => source.select(matchers, minTimeMs, maxTimeMs)))
  }

  overlaps(minTimeMs: number, maxTimeMs: number): boolean {
    return this.#sources.some((source) => source.overlaps?.(minTimeMs, maxTimeMs) !== false)
  }

  labelNames(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[] {
    return mergeTexts(this.#sources.map((source) => source.labelNames(matchers, minTimeMs, maxTimeMs)))
  }

  labelValues(name: string, matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): string[] {
    return mergeTexts(this.#sources.map((source) => source.labelValues(name, matchers, minTimeMs, maxTimeMs)))
  }
}

function mergeTexts(lists: readonly string[][]): string[] {
  if (lists.length === 1) return lists[0]!
  return sortBytewise([...new Set(lists.flat())])
}

/** Sets stand on their next series each; those whose labels come first are the current series. */
class MergedSeriesSet implements SeriesSet {
  readonly #sets: readonly SeriesSet[]
  // Per set: the labels it stands on, undefined at its end.
  readonly #heads: (Labels | undefined)[]
  // Which sets have the current series; their places in `#sets`, ascending.
  #current: number[] = []
  readonly #one = new SampleColumns()
  readonly #floats = new SampleColumns()
  readonly #oneOfHistograms = new HistogramColumns(16, 128)

  constructor(sets: readonly SeriesSet[]) {
    this.#sets = sets
    this.#heads = sets.map((set) => (set.next() ? set.labels() : undefined))
  }

  next(): boolean {
    for (const i of this.#current) this.#heads[i] = this.#sets[i]!.next() ? this.#sets[i]!.labels() : undefined
    this.#current = []
    let first: Labels | undefined
    for (const [i, labels] of this.#heads.entries()) {
      if (labels === undefined) continue
      const order = first === undefined ? -1 : Labels.compare(labels, first)
      if (order > 0) continue
      if (order < 0) this.#current = []
      first = labels
      this.#current.push(i)
    }
    return first !== undefined
  }

  labels(): Labels {
    return this.#heads[this.#current[0]!]!
  }

  samples(into: SampleColumns): void {
    const before = into.length
    for (const i of this.#current) {
      const from = into.length
      this.#sets[i]!.samples(into)
      // Sources come in the order of time most often.
      if (from === before || from === into.length || into.times[from]! > into.times[from - 1]!) continue
      const one = this.#one
      one.length = 0
      appendSamples(into, from, into.length, one)
      into.length = from
      mergeSamples(into, before, one)
    }
  }

  hasHistograms(): boolean {
    return this.#current.some((i) => this.#sets[i]!.hasHistograms?.() !== false)
  }

  startTimes(times: Float64Array, into: Float64Array): void {
    for (const i of this.#current) this.#sets[i]!.startTimes?.(times, into)
  }

  histograms(into: HistogramColumns): void {
    const before = into.length
    for (const i of this.#current) {
      const one = this.#oneOfHistograms
      one.clear()
      this.#sets[i]!.histograms?.(one)
      mergeHistograms(into, before, one)
    }
    // A source alone has none of both kinds at one time.
    if (this.#current.length === 1 || into.length === before) return
    this.#floats.length = 0
    this.samples(this.#floats)
    dropTimesOfFloats(this.#floats, into, before)
  }

  chunks(): readonly SeriesChunk[] | undefined {
    const lists: (readonly SeriesChunk[])[] = []
    for (const i of this.#current) {
      const list = this.#sets[i]!.chunks?.()
      if (list === undefined) return undefined
      lists.push(list)
    }
    return joinChunks(lists)
  }
}
