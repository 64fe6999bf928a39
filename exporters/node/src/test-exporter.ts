import { parseFamilies, type MetricFamily } from '@narthex/exporter-kit/family-parser'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { silentLogger } from '@narthex/service/logger'
import { unpackSmallTree } from './test-tree.ts'
import { createNodeExporter, type NodeExporter, type NodeExporterOptions } from './node-exporter.ts'

export function createTestExporter(flags: FlagValues, options: Partial<NodeExporterOptions> = {}): NodeExporter {
  return createNodeExporter({ flags, log: silentLogger, buildInfo: { version: 'test', revision: 'r', branch: 'b' }, ...options })
}

/** What an exporter with these flags answers. */
export async function scrapeOnce(flags: FlagValues, options: Partial<NodeExporterOptions> = {}): Promise<string> {
  const exporter = createTestExporter(flags, options)
  try {
    return Buffer.from((await exporter.handleMetrics()).body).toString()
  } finally {
    await exporter.close()
  }
}

/** Only the named collector, and nothing about the exporter itself. */
export function onlyCollector(name: string): FlagValues {
  return { 'collector.disable-defaults': true, [`collector.${name}`]: true, 'web.disable-exporter-metrics': true }
}

/** What one collector says about a small tree (see `unpackSmallTree`): its families, and whether it succeeded. */
export async function scrapeTree(
  collector: string,
  tree: string,
  options: { readonly flags?: FlagValues; readonly prepare?: (directory: string) => void } = {},
): Promise<{ families: Map<string, MetricFamily>; isSuccess: boolean; samples: string[] }> {
  const trees = unpackSmallTree(tree)
  try {
    options.prepare?.(trees.directory)
    const text = (await scrapeOnce({ ...trees.flags, ...onlyCollector(collector), ...options.flags })).replaceAll(trees.directory, '')
    const families = parseText(text)
    const isSuccess = valueOf(families, 'node_scrape_collector_success', 'collector', collector) === 1
    const samples = text.split('\n').filter((line) => line !== '' && !/^#|^node_(scrape_collector|exporter_build)_/.test(line))
    return { families, isSuccess, samples }
  } finally {
    trees.remove()
  }
}

export function parseText(text: string): Map<string, MetricFamily> {
  return new Map(parseFamilies(Buffer.from(text)).map((family) => [family.name, family]))
}

/** Value of a sample by its labels as flat list; undefined if there is none. */
export function valueOf(families: ReadonlyMap<string, MetricFamily>, name: string, ...labels: readonly string[]): number | undefined {
  return families.get(name)?.samples.find((sample) => sample.labels.join('\0') === labels.join('\0'))?.value
}
