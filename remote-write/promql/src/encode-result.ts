import type { ByteWriter } from '@narthex/bytes/byte-writer'
import type { Labels } from '@narthex/model/labels'
import { formatFloat, formatTimestampSeconds } from '@narthex/model/number'
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

function writeVector(writer: ByteWriter, { labels, times, values }: ResultSeries): void {
  writer.utf8('[')
  for (let i = 0; i < labels.length; i++) {
    writer.utf8(i === 0 ? '{"metric":' : ',{"metric":')
    writeLabels(writer, labels[i]!)
    writer.utf8(',"value":')
    writeSample(writer, formatTimestampSeconds(times[i]!), formatFloat(values[i]!))
    writer.utf8('}')
  }
  writer.utf8(']')
}

function writeMatrix(writer: ByteWriter, { labels, offsets, times, values }: ResultSeries): void {
  // Series of a range query share their times: each is printed once.
  const timeTexts = new Map<number, string>()
  writer.utf8('[')
  for (let i = 0; i < labels.length; i++) {
    writer.utf8(i === 0 ? '{"metric":' : ',{"metric":')
    writeLabels(writer, labels[i]!)
    writer.utf8(',"values":[')
    const from = offsets[i]!
    const to = offsets[i + 1]!
    for (let j = from; j < to; j++) {
      const time = times[j]!
      let text = timeTexts.get(time)
      if (text === undefined) {
        text = formatTimestampSeconds(time)
        if (timeTexts.size < timeTextsMax) timeTexts.set(time, text)
      }
      if (j > from) writer.u8(comma)
      writeSample(writer, text, formatFloat(values[j]!))
    }
    writer.utf8(']}')
  }
  writer.utf8(']')
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
