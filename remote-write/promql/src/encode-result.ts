import type { ByteWriter } from '@narthex/bytes/byte-writer'
import type { Labels } from '@narthex/model/labels'
import { formatFloat, formatTimestampSeconds } from '@narthex/model/number'
import { writeHistogram } from './histogram/encode-histogram.ts'
import type { QueryResult, ResultSeries } from './query-result.ts'

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
  writer.utf8('[')
  for (let i = 0; i < labels.length; i++) {
    writer.utf8(i === 0 ? '{"metric":' : ',{"metric":')
    writeLabels(writer, labels[i]!)
    const from = offsets[i]!
    const to = offsets[i + 1]!
    if (histograms === undefined) writeFloats(writer, result, from, to, timeTexts)
    else writeMixed(writer, result, histograms, from, to, timeTexts)
    writer.utf8('}')
  }
  writer.utf8(']')
}

function writeFloats(writer: ByteWriter, { times, values }: ResultSeries, from: number, to: number, timeTexts: TimeTexts): void {
  writer.utf8(',"values":[')
  for (let j = from; j < to; j++) {
    if (j > from) writer.u8(comma)
    writeSample(writer, timeTexts.of(times[j]!), formatFloat(values[j]!))
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
  timeTexts: TimeTexts,
): void {
  let floats = 0
  for (let j = from; j < to; j++) {
    if (histograms[j] !== undefined) continue
    writer.utf8(floats++ === 0 ? ',"values":[' : ',')
    writeSample(writer, timeTexts.of(times[j]!), formatFloat(values[j]!))
  }
  if (floats > 0) writer.utf8(']')
  if (floats === to - from) return
  let count = 0
  for (let j = from; j < to; j++) {
    const histogram = histograms[j]
    if (histogram === undefined) continue
    writer.utf8(count++ === 0 ? ',"histograms":[' : ',')
    writeHistogram(writer, timeTexts.of(times[j]!), histogram)
  }
  writer.utf8(']')
}

/** Series of a range query share their times: each is printed once. */
class TimeTexts {
  readonly #texts = new Map<number, string>()

  of(timeMs: number): string {
    let text = this.#texts.get(timeMs)
    if (text === undefined) {
      text = formatTimestampSeconds(timeMs)
      if (this.#texts.size < timeTextsMax) this.#texts.set(timeMs, text)
    }
    return text
  }
}

/** More than the API's 11,000 steps; raw samples of many series have times of their own and are not worth keeping. */
const timeTextsMax = 16_384
const comma = 44

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
