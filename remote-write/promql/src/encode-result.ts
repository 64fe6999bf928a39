import type { ByteWriter } from '@narthex/bytes/byte-writer'
import type { Labels } from '@narthex/model/labels'
import { formatFloat, formatTimestampSeconds } from '@narthex/model/number'
import { writeHistogram } from './histogram/encode-histogram.ts'
import type { QueryResult, ResultSeries } from './query-result.ts'
import { writeFloat } from './write-float.ts'

/**
 * Writes the `data` of an API answer: `{"resultType":"matrix","result":[…]}`. `extraFields` is JSON text put behind the result, such as
 * `"stats":{…}`.
 */
export function encodeResult(result: QueryResult, writer: ByteWriter, extraFields = ''): void {
  writer.utf8(`{"resultType":"${result.type}","result":`)
  switch (result.type) {
    case 'scalar':
      writeSample(writer, formatTimestampSeconds(result.series.times[0]!), formatFloat(result.series.values[0]!))
      break
    case 'string':
      writer.utf8(`[${formatTimestampSeconds(result.timeMs)},${JSON.stringify(result.text)}]`)
      break
    case 'vector':
      writeVector(writer, result.series)
      break
    case 'matrix':
      writeMatrix(writer, result.series)
      break
  }
  writer.utf8(extraFields === '' ? '}' : `,${extraFields}}`)
}

function writeVector(writer: ByteWriter, { labels, times, values, histograms }: ResultSeries): void {
  writer.utf8('[')
  for (let i = 0; i < labels.length; i++) {
    writer.utf8(i === 0 ? '{"metric":' : ',{"metric":')
    writeLabels(writer, labels[i]!)
    const time = formatTimestampSeconds(times[i]!)
    const histogram = histograms?.[i]
    if (histogram === undefined) {
      writer.utf8(',"value":')
      writeSample(writer, time, formatFloat(values[i]!))
    } else {
      writer.utf8(',"histogram":')
      writeHistogram(writer, time, histogram)
    }
    writer.utf8('}')
  }
  writer.utf8(']')
}

function writeMatrix(writer: ByteWriter, result: ResultSeries): void {
  const { labels, offsets, histograms } = result
  const timeTexts = new TimeTexts()
  const begin = writer.length
  writer.utf8('[')
  for (let i = 0; i < labels.length; i++) {
    writer.utf8(i === 0 ? '{"metric":' : ',{"metric":')
    writeLabels(writer, labels[i]!)
    const from = offsets[i]!
    const to = offsets[i + 1]!
    if (histograms === undefined) writeFloats(writer, result, from, to, timeTexts)
    else writeMixed(writer, result, histograms, from, to)
    writer.utf8('}')
    if (i === 0 && to > from) reserveRest(writer, begin, to - from, offsets[labels.length]! - to)
  }
  writer.utf8(']')
}

/** Room for the further samples, by what the first ones took: a large answer is then not copied each time that it doubles. */
function reserveRest(writer: ByteWriter, begin: number, written: number, left: number): void {
  if (left > reservedMin) writer.reserve(Math.ceil(((writer.length - begin) / written) * left * 1.05))
}

/** Fewer samples fit into what a writer has anyway. */
const reservedMin = 4096

function writeFloats(writer: ByteWriter, { times, values }: ResultSeries, from: number, to: number, timeTexts: TimeTexts): void {
  writer.utf8(',"values":[')
  timeTexts.begin()
  for (let j = from; j < to; j++) {
    if (j > from) writer.u8(comma)
    timeTexts.open(writer, times[j]!)
    writeFloat(writer, values[j]!)
    writer.u8(quote)
    writer.u8(closing)
  }
  writer.utf8(']')
}

/** Floats and histograms in lists of their own, of which an empty one is left out. */
function writeMixed(
  writer: ByteWriter,
  { times, values }: ResultSeries,
  histograms: NonNullable<ResultSeries['histograms']>,
  from: number,
  to: number,
): void {
  let floats = 0
  for (let j = from; j < to; j++) {
    if (histograms[j] !== undefined) continue
    writer.utf8(floats++ === 0 ? ',"values":[' : ',')
    writeSample(writer, formatTimestampSeconds(times[j]!), formatFloat(values[j]!))
  }
  if (floats > 0) writer.utf8(']')
  if (floats === to - from) return
  let count = 0
  for (let j = from; j < to; j++) {
    const histogram = histograms[j]
    if (histogram === undefined) continue
    writer.utf8(count++ === 0 ? ',"histograms":[' : ',')
    writeHistogram(writer, formatTimestampSeconds(times[j]!), histogram)
  }
  writer.utf8(']')
}

/**
 * What stands before a value: `[1435781430.781,"`. Series of a range query share their times, so those of the first series are kept and tried in their
 * order: each is printed once.
 */
class TimeTexts {
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

function writeSample(writer: ByteWriter, time: string, value: string): void {
  writer.utf8('[')
  writer.utf8(time)
  writer.utf8(',"')
  writer.utf8(value)
  writer.utf8('"]')
}

function writeLabels(writer: ByteWriter, { pairs }: Labels): void {
  writer.utf8('{')
  for (let i = 0; i < pairs.length; i += 2) {
    if (i > 0) writer.u8(comma)
    writer.utf8(JSON.stringify(pairs[i]!))
    writer.utf8(':')
    writer.utf8(JSON.stringify(pairs[i + 1]!))
  }
  writer.utf8('}')
}
