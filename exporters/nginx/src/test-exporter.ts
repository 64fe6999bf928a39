import { parseFamilies, type MetricFamily } from '@narthex/exporter-kit/family-parser'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { silentLogger } from '@narthex/service/logger'
import { createNginxExporter, type NginxExporter, type NginxExporterOptions } from './nginx-exporter.ts'

export function createTestExporter(flags: FlagValues, options: Partial<NginxExporterOptions> = {}): NginxExporter {
  return createNginxExporter({ flags, log: silentLogger, buildInfo: { version: 'test', revision: 'r', branch: 'b' }, ...options })
}

/** The families `nginx_*` that an exporter with these flags answers. */
export async function scrapeOnce(flags: FlagValues, options: Partial<NginxExporterOptions> = {}): Promise<string[]> {
  const exporter = createTestExporter(flags, { exporterMetricsDisabled: true, ...options })
  try {
    return linesOf(Buffer.from((await exporter.handleMetrics()).body).toString())
  } finally {
    await exporter.close()
  }
}

/** The samples of `nginx_*` without the build information. */
export function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.startsWith('nginx_') && !line.startsWith('nginx_exporter_'))
}

export function parseText(text: string): Map<string, MetricFamily> {
  return new Map(parseFamilies(Buffer.from(text)).map((family) => [family.name, family]))
}
