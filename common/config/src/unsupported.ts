import { discoveryKey } from './discovery-config.ts'
import type { PrometheusConfig } from './prometheus-config.ts'

/** Discovery mechanisms that are built; the others are accepted and find nothing. */
export const builtDiscovery: ReadonlySet<string> = new Set([
  'static',
  'file',
  'http',
  'dns',
  'consul',
  'etcd',
  'docker',
  'local',
  'kubernetes',
  'azure',
  'ec2',
  'gce',
])

/**
 * What a config says that nothing acts on so far, one line each: print each as one warning and show them on the status page.
 * `built` names the discovery mechanisms that the caller has.
 */
export function collectUnsupported(config: PrometheusConfig, built: ReadonlySet<string> = builtDiscovery): string[] {
  const lines = config.notYet.map((key) => `${key} has no effect yet`)
  for (const scrape of config.scrapeConfigs) {
    const keys = new Set(scrape.discovery.filter(({ mechanism }) => !built.has(mechanism)).map(discoveryKey))
    for (const key of keys) lines.push(`${key} of job ${JSON.stringify(scrape.jobName)} is not built yet and finds no targets`)
  }
  return lines
}
