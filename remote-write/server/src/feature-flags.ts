import type { ParseOptions } from '@narthex/promql/parse/parse'

/** Prometheus' feature flags that change the query language. */
export function toParseOptions(features: readonly string[]): ParseOptions {
  return {
    experimentalFunctions: features.includes('promql-experimental-functions'),
    binopFillModifiers: features.includes('promql-binop-fill-modifiers'),
  }
}

/** Queries count resets by the start timestamps of samples. */
export const startTimestampsFeature = 'use-start-timestamps'

/** Answers with `stats=all` tell the samples by step. */
export const perStepFeature = 'promql-per-step-stats'

/** The older way to say `--config.auto-reload`. */
export const autoReloadFeature = 'auto-reload-config'

/** Exemplars are kept in memory. */
export const exemplarStorageFeature = 'exemplar-storage'

export function keepsExemplars({ features }: { readonly features: readonly string[] }): boolean {
  return features.includes(exemplarStorageFeature)
}

/** Type, unit and help of series are written to the log. */
export const metadataRecordsFeature = 'metadata-wal-records'

/** Prometheus' own snapshot; here the head's state is always written at a stop. */
const memorySnapshotFeature = 'memory-snapshot-on-shutdown'

/** On for good, as in Prometheus 3.16. */
const extendedRangesFeature = 'promql-extended-range-selectors'

const known = [
  exemplarStorageFeature,
  metadataRecordsFeature,
  'promql-experimental-functions',
  extendedRangesFeature,
  'promql-binop-fill-modifiers',
  'promql-delayed-name-removal',
  'type-and-unit-labels',
  startTimestampsFeature,
  perStepFeature,
  autoReloadFeature,
  memorySnapshotFeature,
]

/** Features that are asked for and change nothing here yet; each is worth a warning. */
export function withoutEffect(features: readonly string[]): string[] {
  return features.filter((feature) => !known.includes(feature))
}

/** `--enable-feature=a,b --enable-feature=c` → a, b, c */
export function splitFeatures(given: readonly string[]): string[] {
  return given
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '')
}
