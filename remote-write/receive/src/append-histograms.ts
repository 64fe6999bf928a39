import type { Labels } from '@narthex/model/labels'
import { readHistogram } from '@narthex/wire/histogram-message'
import type { NestedMessages } from '@narthex/wire/request-columns'
import { appendResult, describeAppendResult, HeadFullError } from './appender.ts'
import type { HeadAppender } from './appender.ts'
import { failedSeriesText } from './request-report.ts'
import type { RequestReport } from './request-report.ts'

/** Longer messages are refused unread: their buckets would be more than the head takes. */
const messageBytesMax = 512 * 1024

/** How many of the messages from number `from` on are series `i`'s: they stand in the order of the series. */
export function countHistograms(messages: NestedMessages, from: number, i: number): number {
  let end = from
  while (end < messages.count && messages.series[end] === i) end++
  return end - from
}

/** Appends `count` histograms of one series from number `from` on; what is refused is reported, the rest is appended. Throws a WireError for malformed ones. */
export function appendHistograms(
  { starts, ends }: NestedMessages,
  bytes: Uint8Array,
  from: number,
  count: number,
  ref: number,
  appender: HeadAppender,
  latestMs: number,
  report: RequestReport,
  labels: () => Labels,
): void {
  const { counts } = report
  for (let i = from; i < from + count; i++) {
    const bytesOfMessage = ends[i]! - starts[i]!
    if (bytesOfMessage > messageBytesMax) {
      counts.refusedHistograms++
      report.fail(() => failedSeriesText(`want at most ${messageBytesMax} bytes of a histogram, got ${bytesOfMessage}`, labels()))
      continue
    }
    const { histogram, timestampMs, isStale, isCounterReset } = readHistogram(bytes, starts[i]!, ends[i]!)
    let result: number
    if (timestampMs > latestMs) result = appendResult.tooFarInFuture
    else if (isStale) result = appender.appendStaleHistogram(ref, timestampMs, histogram.isFloat)
    else result = appender.appendHistogram(ref, timestampMs, histogram, isCounterReset ? appendedReset : unknownReset)
    if (result === appendResult.accepted) {
      counts.histograms++
      continue
    }
    if (result === appendResult.memoryCeiling) throw new HeadFullError(describeAppendResult(result))
    counts.refusedHistograms++
    const reason = result === appendResult.invalidHistogram ? appender.refusal() : describeAppendResult(result)
    report.fail(() => failedSeriesText(reason, labels()))
  }
}

/** What `HeadAppender.appendHistogram` takes. */
const unknownReset = 0
const appendedReset = 2
