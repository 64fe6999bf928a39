import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { ScrapedExemplar } from '@narthex/exposition/parser'
import { Labels } from '@narthex/model/labels'
import type { ExemplarColumn } from '../store/frame.ts'

/** Characters of an exemplar's labels, names and values together; OpenMetrics' bound. */
export const exemplarLabelCharactersMax = 128
const timeMsMax = 2 ** 48

/** The exemplars of one line. */
export interface ExemplarLine {
  /** The line's series; in the answer being read, -1 - i stands for pending line i. */
  readonly series: number
  readonly exemplars: readonly ScrapedExemplar[]
  /** The line's value is a native histogram. */
  readonly ofHistogram: boolean
}

interface KnownExemplar {
  readonly labels: Labels
  readonly value: number
  readonly timeMs: number
  readonly hasTime: boolean
}

/** Figures since they were last set to 0. */
export interface ExemplarCounts {
  /** Lines all of whose exemplars were older than what was written of their series. */
  outOfOrder: number
  /** Exemplars with too many characters, with labels that make no sense, or without the timestamp that a native histogram's needs. */
  labelsTooLong: number
  invalid: number
}

/** The exemplar column of the batch being built. Batches are copied by the sink, so all targets build theirs in the same one. */
export class BatchExemplars implements ExemplarColumn {
  count = 0
  positions = new Uint32Array(64)
  times = new Float64Array(64)
  words = new Uint32Array(128)
  offsets = new Uint32Array(65)
  #values = new Float64Array(this.words.buffer)
  readonly #out = new ByteWriter(1024)
  readonly #text = new ByteWriter(256)

  get bytes(): Uint8Array {
    return this.#out.bytes
  }

  reset(): void {
    this.count = 0
    this.#out.reset()
  }

  /** Positions do not fall. */
  add(position: number, labels: Labels, value: number, timeMs: number): void {
    const i = this.count
    if (i === this.positions.length) this.#grow()
    for (const text of labels.pairs) {
      this.#text.reset()
      this.#out.uvarint(this.#text.utf8(text))
      this.#out.raw(this.#text.bytes, 0, this.#text.length)
    }
    this.positions[i] = position
    this.times[i] = timeMs
    this.#values[i] = value
    this.count = i + 1
    this.offsets[i + 1] = this.#out.length
  }

  #grow(): void {
    const room = this.count * 2
    const positions = new Uint32Array(room)
    const times = new Float64Array(room)
    const words = new Uint32Array(2 * room)
    const offsets = new Uint32Array(room + 1)
    positions.set(this.positions)
    times.set(this.times)
    words.set(this.words)
    offsets.set(this.offsets)
    this.positions = positions
    this.times = times
    this.words = words
    this.offsets = offsets
    this.#values = new Float64Array(words.buffer)
  }
}

/** Which exemplars of a target are news: the last one written of each series is remembered. */
export class TargetExemplars {
  // Most targets never send one.
  #last: Map<number, KnownExemplar> | undefined
  readonly counts: ExemplarCounts = { outOfOrder: 0, labelsTooLong: 0, invalid: 0 }

  /** Series got new numbers; -1 is gone. */
  renumber(renumbered: Int32Array): void {
    if (this.#last === undefined) return
    const last = new Map<number, KnownExemplar>()
    for (const [series, exemplar] of this.#last) if (renumbered[series]! >= 0) last.set(renumbered[series]!, exemplar)
    this.#last = last
  }

  /** Adds to the batch what is news in the exemplars of a line, whose sample is at `position`; not if that is negative. */
  addTo(batch: BatchExemplars, line: ExemplarLine, scrapeTimeMs: number, position: number): void {
    if (position < 0) return
    const { series, ofHistogram } = line
    const found = line.exemplars.flatMap((exemplar) => this.#check(exemplar, ofHistogram, scrapeTimeMs) ?? []).sort(compareExemplars)
    let late = 0
    for (const exemplar of found) {
      const last = this.#last?.get(series)
      if (last !== undefined && isSame(last, exemplar)) continue
      if (last !== undefined && compareExemplars(exemplar, last) < 0) {
        late++
        continue
      }
      this.#last ??= new Map()
      this.#last.set(series, exemplar)
      batch.add(position, exemplar.labels, exemplar.value, exemplar.timeMs)
    }
    // As Prometheus: some that are late are what a set of buckets shows between two observations.
    if (late > 0 && late === found.length) this.counts.outOfOrder += late
  }

  #check({ labels, value, timestampMs }: ScrapedExemplar, ofHistogram: boolean, scrapeTimeMs: number): KnownExemplar | undefined {
    const hasTime = timestampMs !== undefined
    const timeMs = hasTime ? Math.trunc(timestampMs) : scrapeTimeMs
    // The bounds keep what is written exact; the comparison is false for NaN.
    if ((ofHistogram && !hasTime) || !(Math.abs(timeMs) <= timeMsMax) || !hasUniqueNames(labels)) {
      this.counts.invalid++
      return undefined
    }
    if (countCharacters(labels) > exemplarLabelCharactersMax) {
      this.counts.labelsTooLong++
      return undefined
    }
    return { labels: Labels.fromPairs(labels), value, timeMs, hasTime }
  }
}

/** By time, value and labels, the order in which Prometheus takes them. */
function compareExemplars(a: KnownExemplar, b: KnownExemplar): number {
  if (a.timeMs !== b.timeMs) return a.timeMs - b.timeMs
  if (a.value !== b.value) return a.value - b.value
  return Labels.compare(a.labels, b.labels)
}

/** One without a timestamp is the same again however often it is scraped. */
function isSame(a: KnownExemplar, b: KnownExemplar): boolean {
  if ((a.hasTime || b.hasTime) && a.timeMs !== b.timeMs) return false
  return (a.value === b.value || (Number.isNaN(a.value) && Number.isNaN(b.value))) && Labels.compare(a.labels, b.labels) === 0
}

function countCharacters(texts: readonly string[]): number {
  let count = 0
  // An empty value is no label.
  for (let i = 0; i < texts.length; i += 2) if (texts[i + 1] !== '') count += characters(texts[i]!) + characters(texts[i + 1]!)
  return count
}

/** Code points, as Prometheus counts. */
function characters(text: string): number {
  let count = text.length
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) count--
  return count
}

function hasUniqueNames(texts: readonly string[]): boolean {
  for (let i = 2; i < texts.length; i += 2) for (let j = 0; j < i; j += 2) if (texts[i] === texts[j]) return false
  return true
}
