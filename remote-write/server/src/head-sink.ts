import { noFamily } from '@narthex/agent/store/frame'
import type { ExemplarColumn, FrameSink, ScrapeBatch, SeriesLayout } from '@narthex/agent/store/frame'
import { appendResult, describeAppendResult } from '@narthex/receive/appender'
import { DiskFullError } from '@narthex/tsdb/disk-guard'
import type { HeadAppender, ScrapedExemplars, ScrapedMetadata } from './head-appender.ts'
import { appendScrapedHistogram } from './scraped-histograms.ts'

export interface HeadSinkLog {
  warn(message: string, fields?: Record<string, unknown>): void
}

/** Series that the head refused are asked for again after this time: its ceiling may have moved. */
const askAgainMs = 30_000

interface ResolvedLayout {
  /** By series; not positive where the head refuses a new series. */
  references: Int32Array
  refusedSeries: number
  /** Why the last of them was refused. */
  refusal: string
  resolvedAtMs: number
  /** Of the head, when they were looked up. */
  referenceVersion: number
}

/**
 * Appends scrapes to the head without the way over HTTP. The series of a layout are looked up once; from then on a scrape
 * is one reference and one append a sample.
 */
export class HeadSink implements FrameSink {
  readonly #head: HeadAppender
  readonly #log: HeadSinkLog
  readonly #now: () => number
  readonly #exemplars: ScrapedExemplars | undefined
  readonly #metadata: ScrapedMetadata | undefined
  // Layouts are replaced when a target's series change; the old one's references go with it.
  readonly #layouts = new WeakMap<SeriesLayout, ResolvedLayout>()
  #toldOfHistograms = false

  /** What a scrape has beside samples is dropped where `beside` has no place for it. */
  constructor(
    head: HeadAppender,
    log: HeadSinkLog,
    now: () => number = () => Date.now(),
    beside: { readonly exemplars?: ScrapedExemplars | undefined; readonly metadata?: ScrapedMetadata | undefined } = {},
  ) {
    this.#exemplars = beside.exemplars
    this.#metadata = beside.metadata
    this.#head = head
    this.#log = log
    this.#now = now
  }

  append(batch: ScrapeBatch): void {
    const { layout, indexes, times, words, count } = batch
    const head = this.#head
    const resolved = this.#resolve(layout)
    const { references } = resolved
    head.beginOwn()
    let unknown = 0
    let refused = 0
    let lastResult = 0
    const histograms = batch.histograms
    let invalid = 0
    let nextHistogram = 0
    for (let i = 0; i < count; i++) {
      const reference = references[indexes === undefined ? i : indexes[i]!]!
      const isHistogram = histograms !== undefined && nextHistogram < histograms.count && histograms.positions[nextHistogram] === i
      if (isHistogram) nextHistogram++
      if (reference <= 0) {
        unknown++
        continue
      }
      const timeMs = typeof times === 'number' ? times : times[i]!
      const result = isHistogram
        ? appendScrapedHistogram(head, reference, timeMs, histograms, nextHistogram - 1)
        : head.append(reference, timeMs, words[2 * i]!, words[2 * i + 1]!)
      if (result === 0) continue
      if (result === appendResult.invalidHistogram) {
        if (invalid++ === 0) this.#noteHistograms(head.refusal())
        continue
      }
      refused++
      lastResult = result
    }
    if (batch.exemplars !== undefined) this.#appendExemplars(batch.exemplars, references, indexes)
    try {
      head.commit()
      this.#exemplars?.commit()
      this.#metadata?.commit()
    } catch (error) {
      head.rollback()
      this.#exemplars?.rollback()
      this.#metadata?.rollback()
      // Its metadata are noted when it is looked up.
      this.#layouts.delete(layout)
      // Who guards the disk has told it once.
      if (!(error instanceof DiskFullError))
        this.#log.warn('cannot store a scrape', { samples: count, err: error instanceof Error ? error.message : String(error) })
      return
    }
    if (unknown > 0) this.#log.warn('series of a scrape were refused', { refused: unknown, samples: count, reason: resolved.refusal })
    if (refused > 0) {
      this.#log.warn('samples of a scrape were refused', { refused, samples: count, reason: describeAppendResult(lastResult) })
    }
  }

  /** The target has sorted them, dropped those that it sent before and those with too many characters. */
  #appendExemplars(column: ExemplarColumn, references: Int32Array, indexes: Uint32Array | undefined): void {
    const sink = this.#exemplars
    if (sink === undefined) return
    const { count, positions, times, words, offsets, bytes } = column
    for (let k = 0; k < count; k++) {
      const position = positions[k]!
      const reference = references[indexes === undefined ? position : indexes[position]!]!
      sink.appendTexts(reference, times[k]!, words[2 * k]!, words[2 * k + 1]!, bytes, offsets[k]!, offsets[k + 1]!)
    }
  }

  /** Of the series of a layout that was looked up. */
  #noteMetadata({ families, familyOfSeries }: SeriesLayout, references: Int32Array): void {
    const sink = this.#metadata
    if (sink === undefined || familyOfSeries === undefined) return
    const numbers = families.map(({ name, type, unit, help }) => {
      sink.setMetadata(name, type, help, unit)
      return sink.numberOf(type, unit, help)
    })
    for (let series = 0; series < references.length; series++) {
      const family = familyOfSeries[series]!
      if (family !== noFamily) sink.noteSeries(references[series]!, numbers[family]!)
    }
  }

  /** Told once: a source that sends one sends more. */
  #noteHistograms(reason: string): void {
    if (this.#toldOfHistograms) return
    this.#toldOfHistograms = true
    this.#log.warn('native histograms of scrapes are not stored', { reason })
  }

  #resolve(layout: SeriesLayout): ResolvedLayout {
    const known = this.#layouts.get(layout)
    const { referenceVersion } = this.#head
    const isCurrent = known?.referenceVersion === referenceVersion
    if (isCurrent && (known.refusedSeries === 0 || this.#now() - known.resolvedAtMs < askAgainMs)) return known
    const references = this.#findReferences(layout)
    this.#noteMetadata(layout, references)
    let refusedSeries = 0
    for (let i = 0; i < references.length; i++) if (references[i]! <= 0) refusedSeries++
    const refusal = refusedSeries > 0 ? this.#head.refusal() : ''
    const resolved = { references, refusedSeries, refusal, resolvedAtMs: this.#now(), referenceVersion }
    this.#layouts.set(layout, resolved)
    return resolved
  }

  #findReferences(layout: SeriesLayout): Int32Array {
    const symbols = this.#internSymbols(layout)
    const references = new Int32Array(layout.seriesCount)
    let pairs = new Uint32Array(64)
    for (let series = 0; series < layout.seriesCount; series++) {
      let at = layout.seriesRefOffsets[series]! + 1
      const end = layout.seriesRefOffsets[series + 1]!
      // The length of the packed field: it ends where the next series begins, so only its bytes are passed over.
      while (layout.seriesRefs[at]! >= 128) at++
      at++
      let length = 0
      while (at < end) {
        let symbol = 0
        let shift = 0
        let byte
        do {
          byte = layout.seriesRefs[at++]!
          symbol |= (byte & 127) << shift
          shift += 7
        } while (byte >= 128)
        if (length === pairs.length) {
          const larger = new Uint32Array(pairs.length * 2)
          larger.set(pairs)
          pairs = larger
        }
        pairs[length++] = symbols[symbol]!
      }
      references[series] = this.#head.refBySymbols(pairs, length / 2)
    }
    return references
  }

  /** Head symbols by the layout's symbol numbers; number 0 is the empty string, which no label of a layout has. */
  #internSymbols(layout: SeriesLayout): Uint32Array {
    const symbols = new Uint32Array(layout.symbolCount + 1)
    const bytes = layout.symbolBytes
    let at = 0
    for (let number = 1; number <= layout.symbolCount; number++) {
      at++
      let length = 0
      let shift = 0
      let byte
      do {
        byte = bytes[at++]!
        length |= (byte & 127) << shift
        shift += 7
      } while (byte >= 128)
      symbols[number] = this.#head.internSymbol(bytes, at, at + length)
      at += length
    }
    return symbols
  }
}
