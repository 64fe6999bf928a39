import { encodeResult } from '@narthex/promql/encode-result'
import type { QueryResult } from '@narthex/promql/query-result'
import { isCut, takeBody, truncatedText } from './answer-envelope.ts'
import type { AnswerWriter } from './answer-writer.ts'

/** The answer of a query, of `limit` series at most (0 = all); `statistics` if they were asked for. */
export function encodeQueryAnswer(whole: QueryResult, limit: number, statistics: unknown, buffer: AnswerWriter): Uint8Array {
  const result = limitSeries(whole, limit)
  buffer.begin(whole.statistics.peakBytes)
  buffer.utf8('{"status":"success","data":')
  const extra = { stats: statistics, explain: whole.explanation }
  encodeResult(result, buffer, JSON.stringify(extra).slice(1, -1))
  endAnswer(buffer, result === whole ? result.warnings : [...result.warnings, truncatedText], result.infos)
  return takeBody(buffer)
}

/** What stands behind the data. */
export function endAnswer(buffer: AnswerWriter, warnings: readonly string[], infos: readonly string[]): void {
  if (warnings.length > 0) buffer.utf8(`,"warnings":${JSON.stringify(warnings)}`)
  if (infos.length > 0) buffer.utf8(`,"infos":${JSON.stringify(infos)}`)
  buffer.utf8('}')
}

function limitSeries(result: QueryResult, limit: number): QueryResult {
  const { series, type } = result
  if (!isCut(limit, series.labels.length) || (type !== 'vector' && type !== 'matrix')) return result
  return { ...result, series: { ...series, labels: series.labels.slice(0, limit) } }
}
