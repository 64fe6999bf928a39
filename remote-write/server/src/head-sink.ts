import type { FrameSink, ScrapeBatch, SeriesLayout } from '@narthex/agent/store/frame'
import { describeAppendResult } from '@narthex/receive/appender'
import { DiskFullError } from '@narthex/tsdb/disk-guard'
import type { HeadAppender } from './head-appender.ts'

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
  // Layouts are replaced when a target's series change; the old one's references go with it.
  readonly #layouts = new WeakMap<SeriesLayout, ResolvedLayout>()
  #toldOfHistograms = false
  /** Native histograms of scrapes, which the head has no place for yet. */
  skippedHistograms = 0

  constructor(head: HeadAppender, log: HeadSinkLog, now: () => number = () => Date.now()) {
    this.#head = head
    this.#log = log
    this.#now = now
  }

  append(batch: ScrapeBatch): void {
    const { layout, indexes, times, words, count } = batch
    const head = this.#head
    const resolved = this.#resolve(layout)
    const { references } = resolved
    let unknown = 0
    let refused = 0
    let lastResult = 0
    const histograms = batch.histograms
    let histogram = 0
    for (let i = 0; i < count; i++) {
      if (histograms !== undefined && histogram < histograms.count && histograms.positions[histogram] === i) {
        histogram++
        continue
      }
      const reference = references[indexes === undefined ? i : indexes[i]!]!
      if (reference <= 0) {
        unknown++
        continue
      }
      const timeMs = typeof times === 'number' ? times : times[i]!
      const result = head.append(reference, timeMs, words[2 * i]!, words[2 * i + 1]!)
      if (result === 0) continue
      refused++
      lastResult = result
    }
    if (histogram > 0) this.#noteHistograms(histogram)
    try {
      head.commit()
    } catch (error) {
      head.rollback()
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

  #noteHistograms(count: number): void {
    this.skippedHistograms += count
    if (this.#toldOfHistograms) return
    this.#toldOfHistograms = true
    this.#log.warn('native histograms of scrapes are not stored: the server has no place for them yet', { skipped: count })
  }

  #resolve(layout: SeriesLayout): ResolvedLayout {
    const known = this.#layouts.get(layout)
    const { referenceVersion } = this.#head
    const isCurrent = known?.referenceVersion === referenceVersion
    if (isCurrent && (known.refusedSeries === 0 || this.#now() - known.resolvedAtMs < askAgainMs)) return known
    const references = this.#findReferences(layout)
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
