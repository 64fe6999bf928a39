import { Labels } from '@narthex/model/labels'
import { mergeRuns } from './sample-run.ts'
import type { RunSource, Stretch } from './sample-run.ts'

/** Series one after the other, each with its samples. */
export interface SeriesSource {
  /** In the order of their labels; undefined at the end. */
  next(): Labels | undefined
  /** Those of the series that `next` gave last. */
  runs(): readonly RunSource[]
}

/** One series of `mergeSeries`; its samples can be read once, before the next series is asked for. */
export interface MergedSeries {
  readonly labels: Labels
  samples(): Iterable<Stretch>
}

/** The series of all sources in the order of their labels. */
export function* mergeSeries(sources: readonly SeriesSource[]): Generator<MergedSeries> {
  const heads = sources.map((source) => ({ source, labels: source.next() }))
  for (;;) {
    let first: Labels | undefined
    for (const { labels } of heads) {
      if (labels !== undefined && (first === undefined || Labels.compare(labels, first) < 0)) first = labels
    }
    if (first === undefined) return
    const labels = first
    const own = heads.filter((head) => head.labels?.equals(labels))
    yield { labels, samples: () => mergeRuns(own.flatMap(({ source }) => source.runs())) }
    for (const head of own) head.labels = head.source.next()
  }
}
