import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { ExpositionError } from '@narthex/exposition/exposition-error'
import { OpenMetricsParser } from '@narthex/exposition/openmetrics-parser'
import { entryEnd, entrySample } from '@narthex/exposition/parser'
import type { MetricType } from '@narthex/model/metric-type'
import { NORMAL_NAN_HIGH, NORMAL_NAN_LOW } from '@narthex/model/stale'
import { describeFileError, ToolError } from './open-blocks.ts'

/** Small, so that of a file in the order of series a block needs few of them. */
export const windowBytesDefault = 128 * 1024
/** A longer line is no OpenMetrics of anyone. */
export const lineBytesMax = 16 * 1024 * 1024
/** Times beyond are no dates: block ranges and sums of them would not be exact. */
const timeMsMax = 2 ** 51

const newline = 10

/** Takes one sample: its series' text is `[start, end)` of `bytes`, valid during the call; `type` is that of its metric family. */
export type TakeSample = (
  bytes: Uint8Array,
  start: number,
  end: number,
  type: MetricType,
  timeMs: number,
  low: number,
  high: number,
) => void

export interface TimeRange {
  /** Both 0 if there is no sample. */
  readonly minTimeMs: number
  readonly maxTimeMs: number
  readonly samples: number
}

/** A run of whole lines. */
interface Window {
  readonly offset: number
  readonly length: number
  /** Of the window's first line. */
  readonly line: number
  /** As the lines before have left it. */
  readonly type: MetricType
  minTimeMs: number
  maxTimeMs: number
}

/**
 * A file of OpenMetrics text in which every sample has a timestamp, read piece by piece: `scan` once for all of it, then `read` as
 * often as needed for a part of the time. Memory: one window, and some words for each window of the file.
 */
export class OpenMetricsHistory {
  readonly #fd: number
  readonly #size: number
  readonly #windowBytes: number
  readonly #windows: Window[] = []
  readonly #parser = new OpenMetricsParser()
  readonly #words = new Uint32Array(2)
  readonly #value = new Float64Array(this.#words.buffer)
  #buffer: Uint8Array
  /** Bytes read from the file so far. */
  bytesRead = 0

  private constructor(fd: number, windowBytes: number) {
    this.#fd = fd
    this.#size = fstatSync(fd).size
    this.#windowBytes = windowBytes
    this.#buffer = new Uint8Array(windowBytes)
  }

  /** Throws a `ToolError` if the file cannot be opened. */
  static open(path: string, windowBytes = windowBytesDefault): OpenMetricsHistory {
    try {
      return new OpenMetricsHistory(openSync(path, 'r'), windowBytes)
    } catch (cause) {
      throw new ToolError(describeFileError('open', path, cause), { cause })
    }
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** Reads the whole file and gives its range of times. Throws a `ToolError`: not OpenMetrics, or a sample without a timestamp. */
  scan(): TimeRange {
    this.#windows.length = 0
    let minTimeMs = Infinity
    let maxTimeMs = -Infinity
    let samples = 0
    let line = 1
    let type: MetricType = 'unknown'
    let offset = 0
    do {
      const length = this.#load(offset)
      const window: Window = { offset, length, line, type, minTimeMs: Infinity, maxTimeMs: -Infinity }
      this.#parse(window, 'next: ', (_bytes, _start, _end, _type, timeMs) => {
        if (timeMs < window.minTimeMs) window.minTimeMs = timeMs
        if (timeMs > window.maxTimeMs) window.maxTimeMs = timeMs
        samples++
      })
      this.#windows.push(window)
      minTimeMs = Math.min(minTimeMs, window.minTimeMs)
      maxTimeMs = Math.max(maxTimeMs, window.maxTimeMs)
      for (let i = 0; i < length; i++) if (this.#buffer[i] === newline) line++
      type = this.#parser.type
      offset += length
    } while (offset < this.#size)
    return samples === 0 ? { minTimeMs: 0, maxTimeMs: 0, samples } : { minTimeMs, maxTimeMs, samples }
  }

  /**
   * Gives the samples with `fromMs` ≤ time < `toMs` in the order of the file, passing over windows that have none. The answer is the time
   * of the first sample at or after `toMs`, Infinity if there is none; without reading on for it, so it may be early.
   */
  read(fromMs: number, toMs: number, take: TakeSample): number {
    let next = Infinity
    for (const window of this.#windows) {
      if (window.minTimeMs >= toMs) next = Math.min(next, window.minTimeMs)
      if (window.minTimeMs >= toMs || window.maxTimeMs < fromMs) continue
      this.#fill(window.offset, window.length)
      this.#parse(window, 'parse: ', (bytes, start, end, type, timeMs, low, high) => {
        if (timeMs >= toMs) next = Math.min(next, timeMs)
        else if (timeMs >= fromMs) take(bytes, start, end, type, timeMs, low, high)
      })
    }
    return next
  }

  #parse(window: Window, action: string, take: TakeSample): void {
    const parser = this.#parser
    const bytes = this.#buffer
    const { length } = window
    const isLast = window.offset + length >= this.#size
    parser.begin(bytes, 0, length)
    parser.jump(0, window.type)
    let entryStart = 0
    try {
      while (isLast || parser.offset < length) {
        entryStart = parser.offset
        const entry = parser.next()
        if (entry === entrySample) this.#takeSample(window, take)
        else if (entry === entryEnd) {
          if (!isLast) throw new ExpositionError('unexpected data after # EOF', 0)
          return
        }
      }
    } catch (error) {
      if (!(error instanceof ExpositionError)) throw error
      throw new ToolError(`${action}${error.problem} (line ${this.#lineAt(window, entryStart)})`, { cause: error })
    }
  }

  #takeSample(window: Window, take: TakeSample): void {
    const parser = this.#parser
    const { timestampMs, seriesStart, seriesEnd } = parser
    if (!parser.hasTimestamp)
      throw new ToolError(`expected timestamp for series got none (line ${this.#lineAt(window, parser.seriesStart)})`)
    if (!(timestampMs >= -timeMsMax && timestampMs <= timeMsMax)) {
      const line = this.#lineAt(window, parser.seriesStart)
      throw new ToolError(`timestamp out of range: want at most ${timeMsMax} ms from 1970, got ${timestampMs} (line ${line})`)
    }
    // -0 would be another key of a map.
    const timeMs = timestampMs + 0
    this.#value[0] = parser.value
    const isNan = Number.isNaN(parser.value)
    const low = isNan ? NORMAL_NAN_LOW : this.#words[0]!
    const high = isNan ? NORMAL_NAN_HIGH : this.#words[1]!
    take(this.#buffer, seriesStart, seriesEnd, parser.type, timeMs, low, high)
  }

  #lineAt(window: Window, at: number): number {
    let { line } = window
    for (let i = 0; i < at; i++) if (this.#buffer[i] === newline) line++
    return line
  }

  /** Puts whole lines from `offset` on into the buffer and gives their length: to the end of the file, or to the end of a line. */
  #load(offset: number): number {
    for (let wanted = this.#windowBytes; ; wanted *= 2) {
      const count = this.#fill(offset, Math.min(wanted, this.#size - offset))
      if (offset + count >= this.#size) return count
      const end = this.#buffer.subarray(0, count).lastIndexOf(newline)
      // What follows the last newline may be the marker of the end, which has to be seen with what is behind it.
      if (end >= 0) return end + 1
      if (wanted >= lineBytesMax) throw new ToolError(`want lines of at most ${lineBytesMax} bytes, got more at offset ${offset}`)
    }
  }

  #fill(offset: number, length: number): number {
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(length)
    let count = 0
    while (count < length) {
      const read = readSync(this.#fd, this.#buffer, count, length - count, offset + count)
      if (read === 0) throw new ToolError(`the file became shorter while it was read: want ${offset + length} bytes, got ${offset + count}`)
      count += read
      this.bytesRead += read
    }
    return count
  }
}
