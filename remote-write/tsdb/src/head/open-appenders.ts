import type { HistogramChunkAppender } from '../chunk/histogram-chunk-appender.ts'

/** Memory for appenders: of some 15,000 histograms of 40 buckets. */
export const openAppendersBytesDefault = 64 * 1024 * 1024
const bytesEach = 700
const bytesPerBucket = 48

interface Open {
  readonly appender: HistogramChunkAppender
  bytes: number
}

/**
 * The appenders of open chunks by series, as many as `bytesMax` holds: others are made anew from their chunk when a histogram comes. None is driven
 * out by a new one, as series take turns: the one that goes would be the next to be asked for.
 */
export class OpenAppenders {
  /** An estimate. */
  bytes = 0
  readonly #bytesMax: number
  readonly #bySeries = new Map<number, Open>()

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get(ref: number): HistogramChunkAppender | undefined {
    return this.#bySeries.get(ref)?.appender
  }

  set(ref: number, appender: HistogramChunkAppender): void {
    const { layout } = appender
    const buckets = layout === undefined ? 0 : layout.positiveBuckets + layout.negativeBuckets
    const bytes = bytesEach + bytesPerBucket * buckets + 2 * appender.byteLength
    const known = this.#bySeries.get(ref)
    this.bytes += bytes - (known?.bytes ?? 0)
    if (this.bytes > this.#bytesMax) {
      this.bytes -= bytes
      this.#bySeries.delete(ref)
    } else if (known?.appender === appender) known.bytes = bytes
    else this.#bySeries.set(ref, { appender, bytes })
  }

  delete(ref: number): void {
    const known = this.#bySeries.get(ref)
    if (known === undefined) return
    this.bytes -= known.bytes
    this.#bySeries.delete(ref)
  }
}
