import { parseFamilies, type MetricFamily } from '@narthex/exporter-kit/family-parser'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { createLogger, silentLogger, type Logger } from '@narthex/service/logger'
import { createRedisExporter, type RedisExporter, type RedisExporterOptions } from './redis-exporter.ts'

export function createTestExporter(flags: FlagValues, options: Partial<RedisExporterOptions> = {}): RedisExporter {
  return createRedisExporter({ flags, log: silentLogger, buildInfo: { version: 'test', revision: 'r', branch: 'b' }, ...options })
}

/** What an exporter with these flags answers. */
export async function scrapeOnce(flags: FlagValues, options: Partial<RedisExporterOptions> = {}): Promise<string> {
  const exporter = createTestExporter({ 'redis-only-metrics': true, ...flags }, options)
  return Buffer.from((await exporter.handleMetrics()).body).toString()
}

/** What `/scrape` with this query answers. */
export async function scrapeTargetOf(exporter: RedisExporter, query: string): Promise<{ status: number; text: string }> {
  const { status, body } = await exporter.handleScrape({ query: new URLSearchParams(query) })
  return { status, text: Buffer.from(body).toString() }
}

export function parseText(text: string): Map<string, MetricFamily> {
  return new Map(parseFamilies(Buffer.from(text)).map((family) => [family.name, family]))
}

/** Value of a sample by its labels as flat list; undefined if there is none. */
export function valueOf(families: ReadonlyMap<string, MetricFamily>, name: string, ...labels: readonly string[]): number | undefined {
  return families.get(name)?.samples.find((sample) => sample.labels.join('\0') === labels.join('\0'))?.value
}

/** A logger that keeps its lines. */
export function createMemoryLogger(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = []
  return { log: createLogger({ write: (line) => void lines.push(line), source: 'test' }), lines }
}
