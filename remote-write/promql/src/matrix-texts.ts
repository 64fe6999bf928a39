import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { formatTimestampSeconds } from '@narthex/model/number'
import { writeHistogram } from './histogram/encode-histogram.ts'
import type { ResultSeries } from './query-result.ts'
import { writeFloat } from './write-float.ts'

// The texts that an answer's matrix consists of.

/** The floats among samples `from` … `to - 1`, with commas between them; gives how many there are. */
export function writeFloatList(
  writer: ByteWriter,
  { times, values, histograms }: ResultSeries,
  from: number,
  to: number,
  timeTexts: TimeTexts,
): number {
  timeTexts.begin()
  let count = 0
  for (let j = from; j < to; j++) {
    if (histograms !== undefined && histograms[j] !== undefined) continue
    if (count++ > 0) writer.u8(comma)
    timeTexts.open(writer, times[j]!)
    writeFloat(writer, values[j]!)
    writer.u8(quote)
    writer.u8(closing)
  }
  return count
}

/** The histograms among samples `from` … `to - 1`, with commas between them. */
export function writeHistogramList(writer: ByteWriter, { times, histograms }: ResultSeries, from: number, to: number): void {
  let count = 0
  for (let j = from; j < to; j++) {
    const histogram = histograms?.[j]
    if (histogram === undefined) continue
    if (count++ > 0) writer.u8(comma)
    writeHistogram(writer, formatTimestampSeconds(times[j]!), histogram)
  }
}

/**
 * What stands before a value: `[1435781430.781,"`. Series of a range query share their times, so those of the first series are kept and tried in their
 * order: each is printed once.
 */
export class TimeTexts {
  readonly #times: number[] = []
  readonly #texts: Uint8Array[] = []
  #at = 0

  /** Before each series. */
  begin(): void {
    this.#at = 0
  }

  /** Times of a series ascend. */
  open(writer: ByteWriter, timeMs: number): void {
    const times = this.#times
    let at = this.#at
    while (at < times.length && times[at]! < timeMs) at++
    this.#at = at
    if (times[at] === timeMs) {
      writer.raw(this.#texts[at]!)
      return
    }
    const text = `[${formatTimestampSeconds(timeMs)},"`
    writer.ascii(text)
    if (at < times.length || at === timesMax) return
    times.push(timeMs)
    this.#texts.push(Buffer.from(text))
  }
}

/** More than the API's 11,000 steps; raw samples have times of their own, and are not worth keeping. */
const timesMax = 16_384
const comma = 44
const quote = 34
const closing = 93

export function writeSample(writer: ByteWriter, time: string, value: string): void {
  writer.utf8('[')
  writer.utf8(time)
  writer.utf8(',"')
  writer.utf8(value)
  writer.utf8('"]')
}
