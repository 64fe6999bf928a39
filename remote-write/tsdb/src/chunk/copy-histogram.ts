import type { HistogramColumns } from '@narthex/model/histogram-columns'

/** Appends sample `i` of `from`, bits kept. */
export function copyHistogram(from: HistogramColumns, i: number, to: HistogramColumns): void {
  const start = from.bucketStart(i)
  const end = from.bucketEnds[i]!
  const at = to.push(
    from.times[i]!,
    from.startTimes[i]!,
    to.addLayout(from.layout(i)),
    from.hints[i]!,
    from.counts[i]!,
    from.zeroCounts[i]!,
    from.sumWords[2 * i]!,
    from.sumWords[2 * i + 1]!,
    end - start,
  )
  to.buckets.set(from.buckets.subarray(start, end), at)
}
