import { Labels } from '@narthex/model/labels'
import type { FamilyMetadata } from '../store/frame.ts'
import type { ReportSeries } from './target-series.ts'

// One object for all targets.
const reports: readonly FamilyMetadata[] = makeFamilies([
  ['up', 'Health of the scrape target. 1 means the target is healthy, 0 if the scrape failed.'],
  ['scrape_duration_seconds', 'Duration of the last scrape in seconds.'],
  ['scrape_samples_scraped', 'Number of samples last scraped from the target.'],
  ['scrape_samples_post_metric_relabeling', 'Number of samples remaining after metric relabeling was applied.'],
  ['scrape_series_added', 'Number of series in the last scrape.'],
])

const extraReports: readonly FamilyMetadata[] = makeFamilies([
  ['scrape_timeout_seconds', 'The configured scrape timeout for a target.'],
  ['scrape_sample_limit', 'The configured sample limit for a target. Returns zero if there is no limit configured.'],
  [
    'scrape_body_size_bytes',
    'The uncompressed size of the last scrape response, if successful. Scrapes failing because body_size_limit is exceeded report -1.',
  ],
])

/** The series that every scrape writes about itself, in the order of the report's values. They take no part in metric_relabel_configs. */
export function makeReportSeries(targetLabels: Labels, withExtra: boolean): ReportSeries[] {
  return [...reports, ...(withExtra ? extraReports : [])].map((family) => ({
    labels: Labels.fromPairs([...targetLabels.pairs, '__name__', family.name]),
    family,
  }))
}

function makeFamilies(texts: readonly (readonly [name: string, help: string])[]): FamilyMetadata[] {
  return texts.map(([name, help]) => ({ name, type: 'gauge', help, unit: '' }))
}
