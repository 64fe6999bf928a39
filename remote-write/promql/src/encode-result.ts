import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { formatFloat, formatTimestampSeconds } from '@narthex/model/number'
import { writeHistogram } from './histogram/encode-histogram.ts'
import { TimeTexts, writeFloatList, writeHistogramList, writeSample } from './matrix-texts.ts'
import type { QueryResult, ResultSeries } from './query-result.ts'
import { LabelsWriter } from './write-labels.ts'

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
  const metrics = new LabelsWriter(writer)
  writer.utf8('[')
  for (let i = 0; i < labels.length; i++) {
    writer.utf8(i === 0 ? '{"metric":' : ',{"metric":')
    metrics.write(labels[i]!)
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
  const { labels, offsets } = result
  const metrics = new LabelsWriter(writer)
  const timeTexts = new TimeTexts()
  const begin = writer.length
  writer.utf8('[')
  for (let i = 0; i < labels.length; i++) {
    writer.utf8(i === 0 ? '{"metric":' : ',{"metric":')
    metrics.write(labels[i]!)
    const from = offsets[i]!
    const to = offsets[i + 1]!
    writeLists(writer, result, from, to, timeTexts)
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

/** Floats and histograms in lists of their own, of which an empty one is left out. */
function writeLists(writer: ByteWriter, result: ResultSeries, from: number, to: number, timeTexts: TimeTexts): void {
  const begin = writer.length
  writer.utf8(',"values":[')
  const floats = writeFloatList(writer, result, from, to, timeTexts)
  if (floats > 0 || from === to) writer.u8(closing)
  else writer.length = begin
  if (floats === to - from) return
  writer.utf8(',"histograms":[')
  writeHistogramList(writer, result, from, to)
  writer.u8(closing)
}

const closing = 93
