import { compareBytewise } from '@narthex/model/compare'
import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import type { Queryable, SeriesSet } from './queryable.ts'
import { joinChunks } from './series-chunks.ts'
import type { SeriesChunk } from './series-chunks.ts'

/**
 * Several storages as one, such as blocks and the head: a series that several have is one series, its samples in time order, each time once.
 * Of samples with the same time that of the source named first stays.
 */
export class MergedQueryable implements Queryable {
  readonly #sources: readonly Queryable[]

  constructor(sources: readonly Queryable[]) {
    this.#sources = sources
  }

  select(matchers: readonly Matcher[], minTimeMs: number, maxTimeMs: number): SeriesSet {
    const sets = this.#sources.map((source) => source.select(matchers, minTimeMs, maxTimeMs))
    return sets.length === 1 ? sets[0]! : new MergedSeriesSet(sets)
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
  return [...new Set(lists.flat())].sort(compareBytewise)
}

/** Sets stand on their next series each; those whose labels come first are the current series. */
class MergedSeriesSet implements SeriesSet {
  readonly #sets: readonly SeriesSet[]
  // Per set: the labels it stands on, undefined at its end.
  readonly #heads: (Labels | undefined)[]
  // Which sets have the current series; their places in `#sets`, ascending.
  #current: number[] = []
  readonly #one = new SampleColumns()
  readonly #merged = new SampleColumns()

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
      const one = this.#one
      one.length = 0
      this.#sets[i]!.samples(one)
      if (one.length === 0) continue
      if (into.length === before || one.times[0]! > into.times[into.length - 1]!) appendRange(one, 0, one.length, into)
      else this.#mergeInto(into, before, one)
    }
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

  /** Merges what stands in `into` from `before` on with `one`. */
  #mergeInto(into: SampleColumns, before: number, one: SampleColumns): void {
    const merged = this.#merged
    merged.length = 0
    let left = before
    let right = 0
    while (left < into.length || right < one.length) {
      const leftMs = left < into.length ? into.times[left]! : Infinity
      const rightMs = right < one.length ? one.times[right]! : Infinity
      if (leftMs <= rightMs) merged.push(leftMs, into.words[2 * left]!, into.words[2 * left + 1]!)
      else merged.push(rightMs, one.words[2 * right]!, one.words[2 * right + 1]!)
      if (leftMs <= rightMs) left++
      if (rightMs <= leftMs) right++
    }
    into.length = before
    appendRange(merged, 0, merged.length, into)
  }
}

function appendRange(from: SampleColumns, start: number, end: number, into: SampleColumns): void {
  const at = into.length
  into.reserve(end - start)
  into.times.set(from.times.subarray(start, end), at)
  into.words.set(from.words.subarray(2 * start, 2 * end), 2 * at)
  into.length = at + end - start
}
