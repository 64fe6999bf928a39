import type { HeadReader } from '@narthex/tsdb/select/head-reader'
import { envelope } from './answer-envelope.ts'

export function answerHeadStatistics({ limit }: { limit: number }, head: HeadReader): string {
  return writeEmptyHeadTimes(envelope(viewHeadStatus(head, limit), []))
}

/** The extremes of int64, digit by digit: as a double they would overflow a Go client's integer. */
function writeEmptyHeadTimes(json: string): string {
  return json.replace('"minTime":null,"maxTime":null', '"minTime":9223372036854775807,"maxTime":-9223372036854775808')
}

function viewHeadStatus(reader: HeadReader, limit: number) {
  const status = reader.status(limit)
  // Infinite for an empty head, which becomes null here; `writeEmptyHeadTimes` puts in what Prometheus shows.
  const minTime = status.minTimeMs
  const maxTime = status.maxTimeMs
  return {
    headStats: {
      numSeries: status.seriesCount,
      numLabelPairs: status.labelPairCount,
      chunkCount: status.chunkCount,
      minTime,
      maxTime,
    },
    seriesCountByMetricName: status.seriesCountByMetricName,
    labelValueCountByLabelName: status.labelValueCountByLabelName,
    memoryInBytesByLabelName: status.memoryInBytesByLabelName,
    seriesCountByLabelValuePair: status.seriesCountByLabelValuePair,
  }
}
