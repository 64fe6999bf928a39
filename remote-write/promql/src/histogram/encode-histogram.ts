import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { formatFloat } from '@narthex/model/number'
import { listBuckets } from './bucket-table.ts'
import type { FloatHistogram } from './float-histogram.ts'

// Which ends of a bucket belong to it, as the API codes it.
const upperOnly = 0
const lowerOnly = 1
const neither = 2
const both = 3

/**
 * Writes a sample as the API has it: `[time,{"count":"3","sum":"1.5","buckets":[[0,"1","2","3"]]}]`. Empty buckets are left out, and so is the list if
 * there are no others.
 */
export function writeHistogram(writer: ByteWriter, time: string, histogram: FloatHistogram): void {
  writer.utf8(`[${time},{"count":"${formatFloat(histogram.count)}","sum":"${formatFloat(histogram.sum)}"`)
  let prefix = ',"buckets":['
  for (const { lower, upper, count, lowerInclusive, upperInclusive } of listBuckets(histogram)) {
    const ends = lowerInclusive ? (upperInclusive ? both : lowerOnly) : upperInclusive ? upperOnly : neither
    writer.utf8(`${prefix}[${ends},"${formatFloat(lower)}","${formatFloat(upper)}","${formatFloat(count)}"]`)
    prefix = ','
  }
  writer.utf8(prefix === ',' ? ']}]' : '}]')
}
