import { parseFamilies, type MetricFamily } from '@narthex/exporter-kit/family-parser'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { createLogger, silentLogger, type Logger } from '@narthex/service/logger'
import { createContainerExporter, type ContainerExporter, type ContainerExporterOptions } from './container-exporter.ts'

/** Flags that keep a test away from the engines of the machine. */
export const noEngines: FlagValues = {
  docker: '',
  podman: '',
  containerd: '',
  crio: '',
}

export function createTestExporter(flags: FlagValues, options: Partial<ContainerExporterOptions> = {}): ContainerExporter {
  return createContainerExporter({
    flags: { ...noEngines, ...flags },
    log: silentLogger,
    buildInfo: { version: 'test', revision: 'r', branch: 'b' },
    ...options,
  })
}

/** Long enough for a machine that is busy with other things. */
const patience = { 'x-prometheus-scrape-timeout-seconds': '60' }

export async function scrapeText(exporter: ContainerExporter, headers: Readonly<Record<string, string>> = patience): Promise<string> {
  return Buffer.from((await exporter.handleMetrics({ headers })).body).toString()
}

/** What an exporter with these flags answers to its first scrape. */
export async function scrapeOnce(flags: FlagValues, options: Partial<ContainerExporterOptions> = {}): Promise<string> {
  const exporter = createTestExporter(flags, { exporterMetricsDisabled: true, ...options })
  try {
    return await scrapeText(exporter)
  } finally {
    await exporter.close()
  }
}

export function parseText(text: string): Map<string, MetricFamily> {
  return new Map(parseFamilies(Buffer.from(text)).map((family) => [family.name, family]))
}

/** Values of a family by the labels that are named, joined with commas. */
export function valuesBy(text: string, family: string, ...labels: readonly string[]): Readonly<Record<string, number>> {
  const values: Record<string, number> = {}
  for (const sample of parseText(text).get(family)?.samples ?? []) {
    const byName = new Map<string, string>()
    for (let i = 0; i < sample.labels.length; i += 2) byName.set(sample.labels[i]!, sample.labels[i + 1]!)
    values[labels.map((label) => byName.get(label) ?? '').join()] = sample.value
  }
  return values
}

/** A logger that keeps its lines. */
export function createMemoryLogger(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = []
  return { log: createLogger({ write: (line) => void lines.push(line), source: 'test' }), lines }
}
