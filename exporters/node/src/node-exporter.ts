import type { BuildInfo } from '@narthex/exporter-kit/build-info'
import type { Collector } from '@narthex/exporter-kit/collector'
import { createExporter, type Exporter } from '@narthex/exporter-kit/exporter'
import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { renderLandingPage } from '@narthex/exporter-kit/landing-page'
import type { Logger } from '@narthex/service/logger'
import { spawnHelperFromSource, type SpawnHelper } from '@narthex/exporter-kit/statfs-pool'
import { NodeEnvironment } from './environment.ts'
import type { CreateCollector } from './collectors.ts'
import { createNodeExporterFlags, nodeExporterFlags } from './flags.ts'
import { optionalCollectorFactories } from './optional-collectors.ts'
import { factoriesOf } from './other-systems/factories.ts'
import { thisMachine, type Machine } from './other-systems/machine.ts'

export interface NodeExporterOptions {
  /** Values by flag name, only of flags that were given (no defaults filled in): `collector.cpu` given beats `collector.disable-defaults`. */
  readonly flags?: FlagValues
  readonly log: Logger
  readonly buildInfo: BuildInfo
  /** Starts a process that runs `runStatfsHelper`; default: this package's source under the running Node.js. */
  readonly spawnHelper?: SpawnHelper
  /** Wall clock in milliseconds. */
  readonly nowMs?: () => number
  /** What is asked where there is no /proc; default: this machine, by its platform. */
  readonly machine?: Machine
}

export interface NodeExporter extends Exporter {
  /** `--web.telemetry-path`. */
  readonly telemetryPath: string
  /** HTML of `/`. */
  readonly landingPage: string
}

/** Builds the exporter from its flags. Throws one clear error for a flag value that cannot be used. */
export function createNodeExporter(options: NodeExporterOptions): NodeExporter {
  const { machine } = options
  const flags = new FlagReader(machine === undefined ? nodeExporterFlags : createNodeExporterFlags(machine.platform), options.flags ?? {})
  const factories = factoriesOf(machine ?? thisMachine)
  const environment = new NodeEnvironment(flags, options.log, options.nowMs ?? preciseNowMs)
  const telemetryPath = flags.string('web.telemetry-path')
  const exporter = createExporter({
    program: 'node_exporter',
    buildInfo: options.buildInfo,
    collectors: createCollectors(environment, factories, options.spawnHelper ?? spawnHelperFromSource),
    collectorNames: [...factories.keys()],
    scrapeFamilies: { durationName: 'node_scrape_collector_duration_seconds', successName: 'node_scrape_collector_success' },
    exporterMetricsDisabled: flags.boolean('web.disable-exporter-metrics'),
    requestsMax: flags.number('web.max-requests'),
    log: options.log,
  })
  const landingPage = renderLandingPage({
    name: 'Node Exporter',
    description: 'Prometheus Node Exporter',
    version: options.buildInfo.version,
    links: [{ address: telemetryPath, text: 'Metrics' }],
  })
  return { ...exporter, telemetryPath, landingPage }
}

function createCollectors(
  environment: NodeEnvironment,
  factories: ReadonlyMap<string, CreateCollector>,
  spawnHelper: SpawnHelper,
): Collector[] {
  const { flags } = environment
  const defaultsDisabled = flags.boolean('collector.disable-defaults')
  const collectors: Collector[] = []
  for (const [name, create] of factories) {
    const flag = `collector.${name}`
    const isDefault = !defaultsDisabled && !optionalCollectorFactories.has(name)
    if (flags.isGiven(flag) ? flags.boolean(flag) : isDefault) collectors.push(createNamed(flag, () => create(environment, spawnHelper)))
  }
  return collectors
}

function createNamed(flag: string, create: () => Collector): Collector {
  try {
    return create()
  } catch (error) {
    throw new Error(`cannot start ${flag}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

/** Unix milliseconds with microseconds behind the point, and not off by a clock that was set since the start. */
function preciseNowMs(): number {
  const wallMs = Date.now()
  const preciseMs = performance.timeOrigin + performance.now()
  return Math.abs(preciseMs - wallMs) < 2 ? preciseMs : wallMs
}
