import { splitFeatures, withoutEffect } from '@narthex/server/feature-flags'

/** Names of Prometheus and promtool that say nothing here: what they switch is on for good, or no command that takes them does it. */
const otherNames: ReadonlySet<string> = new Set([
  ...['promql-at-modifier', 'promql-negative-offset', 'promql-duration-expr', 'native-histograms', 'utf8-names', 'otlp-write-receiver'],
  ...['no-default-scrape-port', 'extra-scrape-metrics', 'created-timestamp-zero-ingestion', 'new-service-discovery-manager', 'agent'],
  ...[
    'concurrent-rule-eval',
    'delayed-compaction',
    'old-ui',
    'otlp-deltatocumulative',
    'otlp-native-delta-ingestion',
    'remote-write-receiver',
  ],
  ...['auto-gomaxprocs', 'auto-gomemlimit', 'expand-external-labels', 'use-uncached-io', 'st-storage'],
])

/** The features of `--enable-feature` flags. One that there is not is most likely a slip: it is told, as promtool does, and nothing else. */
export function readFeatures(given: readonly string[], warn = (line: string) => void process.stderr.write(`${line}\n`)): string[] {
  const features = splitFeatures(given)
  for (const feature of withoutEffect(features)) {
    if (!otherNames.has(feature)) warn(`  WARNING: Unknown option for --enable-feature: ${JSON.stringify(feature)}`)
  }
  return features
}
