import type { MetricType } from '@narthex/model/metric-type'
import { isMetricType } from '@narthex/model/metric-type'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { decodeExemplars } from './exemplar-message.ts'
import { ExpositionError } from './exposition-error.ts'
import { decodeHistogram, HistogramError } from './histogram-message.ts'
import { exemplarsFlag, gaugeFlag, histogramFlag, startFlag, timestampFlag } from './lines.ts'
import { entryEnd, entryHelp, entrySample, entryType, entryUnit } from './parser.ts'
import type { ExpositionParser, ScrapedExemplar } from './parser.ts'
import { decodeUtf8, skipQuoted, unescapeLabel } from './scan.ts'

const noBytes = new Uint8Array(0)

/**
 * Reads the lines that this package writes (the layout is drawn in lines.ts). They are trusted to be well-formed as lines; histograms and
 * exemplars inside are a target's bytes and are read, and refused, when they are asked for.
 */
export class LineParser implements ExpositionParser {
  offset = 0
  seriesStart = 0
  seriesEnd = 0
  valueStart = 0
  value = 0
  hasTimestamp = false
  timestampMs = 0
  hasExemplar = false
  hasHistogram = false
  startTimestampMs = 0
  readonly isCreated = false
  type: MetricType = 'unknown'

  #bytes: Uint8Array = noBytes
  #view: DataView = new DataView(noBytes.buffer)
  #end = 0
  #isGauge = false
  #histogramStart = 0
  #histogramEnd = 0
  #exemplarsStart = 0
  #nameStart = 0
  #nameEnd = 0
  #textStart = 0
  #textEnd = 0

  begin(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#end = end
    this.jump(start, 'unknown')
  }

  jump(offset: number, type: MetricType): void {
    this.offset = offset
    this.type = type
  }

  next(): number {
    if (this.offset >= this.#end) return entryEnd
    return this.#bytes[this.offset] === 35 ? this.#readMetadata() : this.#readSample()
  }

  name(): string {
    return unescapeLabel(decodeUtf8(this.#bytes, this.#nameStart, this.#nameEnd))
  }

  text(): string {
    return unescapeLabel(decodeUtf8(this.#bytes, this.#textStart, this.#textEnd))
  }

  histogram(): NativeHistogram {
    return this.#refusing('native histogram', () => decodeHistogram(this.#bytes, this.#histogramStart, this.#histogramEnd, this.#isGauge))
  }

  exemplars(): readonly ScrapedExemplar[] {
    if (!this.hasExemplar) return []
    return this.#refusing('exemplar', () => decodeExemplars(this.#bytes, this.#exemplarsStart, this.offset))
  }

  #readSample(): number {
    const bytes = this.#bytes
    const end = this.#end
    const start = this.offset
    let i = start
    while (i < end && bytes[i] !== 0) {
      if (bytes[i] === 34) i = skipQuoted(bytes, i, end, true)
      else i++
      if (i < 0) this.#broken()
    }
    if (i + 10 > end) this.#broken()
    this.seriesStart = start
    this.seriesEnd = i - 1
    this.valueStart = i
    const flags = bytes[i + 1]!
    this.value = this.#view.getFloat64(i + 2, true)
    i += 10
    this.hasTimestamp = (flags & timestampFlag) !== 0
    if (this.hasTimestamp) {
      this.timestampMs = this.#time(i)
      i += 8
    }
    this.startTimestampMs = 0
    if ((flags & startFlag) !== 0) {
      this.startTimestampMs = this.#time(i)
      i += 8
    }
    this.hasHistogram = (flags & histogramFlag) !== 0
    if (this.hasHistogram) {
      this.#isGauge = (flags & gaugeFlag) !== 0
      this.#histogramStart = i + 4
      i = this.#blockEnd(i)
      this.#histogramEnd = i
    }
    this.hasExemplar = (flags & exemplarsFlag) !== 0
    if (this.hasExemplar) {
      this.#exemplarsStart = i + 4
      i = this.#blockEnd(i)
    }
    this.offset = i
    return entrySample
  }

  #time(at: number): number {
    if (at + 8 > this.#end) this.#broken()
    return this.#view.getFloat64(at, true)
  }

  #blockEnd(at: number): number {
    if (at + 4 > this.#end) this.#broken()
    const end = at + 4 + this.#view.getUint32(at, true)
    if (end > this.#end) this.#broken()
    return end
  }

  #readMetadata(): number {
    const bytes = this.#bytes
    const start = this.offset
    const lineEnd = bytes.indexOf(10, start)
    if (lineEnd < 0 || lineEnd >= this.#end) this.#broken()
    let i = start + 7
    this.#nameStart = i
    if (bytes[i] === 34) {
      i = skipQuoted(bytes, i, lineEnd, false)
      if (i < 0) this.#broken()
      this.#nameStart++
      this.#nameEnd = i - 1
    } else {
      i = bytes.indexOf(32, i)
      if (i < 0 || i > lineEnd) this.#broken()
      this.#nameEnd = i
    }
    this.#textStart = i + 1
    this.#textEnd = lineEnd
    this.offset = lineEnd + 1
    if (bytes[start + 2] === 72) return entryHelp
    if (bytes[start + 2] === 85) return entryUnit
    const type = this.text()
    if (!isMetricType(type)) this.#broken()
    this.type = type
    return entryType
  }

  #refusing<T>(what: string, read: () => T): T {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof HistogramError || error instanceof RangeError)) throw error
      const series = decodeUtf8(this.#bytes, this.seriesStart, this.seriesEnd)
      throw new ExpositionError(`invalid ${what}: ${error.message}`, 0, series)
    }
  }

  #broken(): never {
    throw new ExpositionError('cannot read rewritten scrape: line is cut off', 0, `byte ${this.offset}`)
  }
}
