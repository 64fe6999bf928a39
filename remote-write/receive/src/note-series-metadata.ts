import { metricTypeOfCode } from '@narthex/wire/metric-type-codes'
import type { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'
import type { SeriesMetadataSink } from './appender.ts'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Hands the metadata of each series of a 2.0 request on; `refs` are the series' references, not positive for one that was left out. */
export function noteSeriesMetadata(reader: RemoteWrite2Reader, refs: Int32Array, sink: SeriesMetadataSink): void {
  const { metadata, seriesCount } = reader
  // Most series of a request share a few texts: each combination is decoded once.
  const numbers = new Map<number, number>()
  for (let i = 0; i < seriesCount; i++) {
    const code = metadata[3 * i]!
    const helpRef = metadata[3 * i + 1]!
    const unitRef = metadata[3 * i + 2]!
    if (refs[i]! <= 0 || (code === 0 && helpRef === 0 && unitRef === 0)) continue
    const type = metricTypeOfCode(code)
    // References are below 2^21.
    const key = (Math.min(code, 255) * 2 ** 21 + helpRef) * 2 ** 21 + unitRef
    let number = numbers.get(key)
    if (number === undefined) numbers.set(key, (number = sink.numberOf(type, symbolText(reader, unitRef), symbolText(reader, helpRef))))
    sink.noteSeries(refs[i]!, number)
  }
}

function symbolText(reader: RemoteWrite2Reader, ref: number): string {
  return decoder.decode(reader.bytes.subarray(reader.symbolStart[ref], reader.symbolEnd[ref]))
}
