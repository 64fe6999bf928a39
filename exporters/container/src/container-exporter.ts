import type { BuildInfo } from '@narthex/exporter-kit/build-info'
import { createExporter, type Exporter } from '@narthex/exporter-kit/exporter'
import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { renderLandingPage } from '@narthex/exporter-kit/landing-page'
import { spawnHelperFromSource, StatfsPool, type SpawnHelper } from '@narthex/exporter-kit/statfs-pool'
import type { Logger } from '@narthex/service/logger'
import { createContainerCollector } from './collect-containers.ts'
import { createMachineCollector } from './collect-machine.ts'
import { ContainerEvents } from './container-events.ts'
import { createContainerdEngine } from './engines/containerd-engine.ts'
import { createCrioEngine } from './engines/crio-engine.ts'
import { createDockerEngine } from './engines/docker-engine.ts'
import type { Engine } from './engines/engine.ts'
import { EngineClient } from './engines/engine-client.ts'
import { ContainerEnvironment } from './environment.ts'
import { containerExporterFlags } from './flags.ts'
import { HostPaths } from './host-paths.ts'
import { KubeletPods } from './kubelet-pods.ts'
import { MetadataStore } from './metadata-store.ts'
import { kindsNotBuilt } from './metric-kinds.ts'

const statfsTimeoutMs = 2_000

export interface ContainerExporterOptions {
  /** Values by flag name, only of flags that were given. */
  readonly flags?: FlagValues
  readonly log: Logger
  readonly buildInfo: BuildInfo
  /** Stands in front of every path; for recorded trees. */
  readonly root?: string
  /** Leaves out process_*: where many exporters are one process. */
  readonly exporterMetricsDisabled?: boolean
  /** Starts a process that runs `runStatfsHelper`; default: the kit's source under the running Node.js. */
  readonly spawnHelper?: SpawnHelper
  /** Wall clock, Unix milliseconds. */
  readonly nowMs?: () => number
  /** Milliseconds that only grow. */
  readonly monotonicMs?: () => number
}

export interface ContainerExporter extends Exporter {
  /** `--prometheus_endpoint` behind `--url_base_prefix`. */
  readonly telemetryPath: string
  /** `--url_base_prefix` without a slash at its end. */
  readonly basePath: string
  /** HTML of `/`. */
  readonly landingPage: string
}

/**
 * Builds the exporter from its flags. Throws one clear error for a flag value that cannot be used and where no cgroups are mounted; an engine
 * that does not answer is no reason.
 */
export function createContainerExporter(options: ContainerExporterOptions): ContainerExporter {
  const { buildInfo, log } = options
  const flags = new FlagReader(containerExporterFlags, options.flags ?? {})
  const nowMs = options.nowMs ?? Date.now
  const monotonicMs = options.monotonicMs ?? ((): number => performance.now())
  const environment = new ContainerEnvironment(flags, log, new HostPaths(options.root), nowMs, monotonicMs)
  warnOfKinds(environment)
  const docker = createDocker(environment)
  const engines = [createContainerd(environment), createCrio(environment), docker, createPodman(environment)]
  const store = new MetadataStore(engines, log, monotonicMs)
  const endpoint = flags.string('kubelet_endpoint')
  const kubelet = endpoint === '' ? undefined : new KubeletPods(endpoint, log, monotonicMs)
  const pool = new StatfsPool(options.spawnHelper ?? spawnHelperFromSource, statfsTimeoutMs, log)
  const containers = createContainerCollector(environment, { store, kubelet, events: new ContainerEvents(nowMs), pool })
  const machine = createMachineCollector(environment, store, docker, buildInfo)
  const exporter = createExporter({
    program: '',
    buildInfo,
    collectors: [containers, machine],
    collectorNames: [containers.name, machine.name],
    exporterMetricsDisabled: options.exporterMetricsDisabled === true,
    handlerMetricsDisabled: true,
    log,
  })
  const basePath = flags.string('url_base_prefix').replace(/\/+$/, '')
  const telemetryPath = basePath + flags.string('prometheus_endpoint')
  return {
    ...exporter,
    close: async () => {
      await exporter.close()
      await Promise.all([store.close(), kubelet?.close()])
    },
    telemetryPath,
    basePath,
    landingPage: renderLandingPage({
      name: 'Container Exporter',
      description: 'Prometheus metrics of containers, as cAdvisor has them',
      version: buildInfo.version,
      links: [{ address: telemetryPath, text: 'Metrics' }],
    }),
  }
}

function warnOfKinds({ flags, kinds, log }: ContainerEnvironment): void {
  if (!flags.isGiven('enable_metrics')) return
  for (const [kind, reason] of kindsNotBuilt) if (kinds.has(kind)) log.warn(`flag --enable_metrics=${kind} has no effect: ${reason}`)
}

/** The wanted prefixes of environment variables; the unified flag beats the one of the engine. */
function readPrefixes(environment: ContainerEnvironment, oldFlag: string): readonly string[] {
  const unified = environment.list('env_metadata_whitelist')
  return (unified.length > 0 ? unified : environment.list(oldFlag)).filter((prefix) => prefix !== '')
}

const userAgent = 'Narthex'

function createDocker(environment: ContainerEnvironment): Engine {
  const { flags } = environment
  const tls = flags.boolean('docker-tls')
    ? { certFile: flags.string('docker-tls-cert'), keyFile: flags.string('docker-tls-key'), caFile: flags.string('docker-tls-ca') }
    : undefined
  const client = new EngineClient('docker', flags.string('docker'), tls, userAgent)
  return createDockerEngine({ name: 'docker', client, envPrefixes: readPrefixes(environment, 'docker_env_metadata_whitelist') })
}

function createPodman(environment: ContainerEnvironment): Engine {
  const client = new EngineClient('podman', environment.flags.string('podman'), undefined, userAgent)
  return createDockerEngine({ name: 'podman', client, envPrefixes: readPrefixes(environment, 'docker_env_metadata_whitelist') })
}

function createContainerd(environment: ContainerEnvironment): Engine {
  const { flags } = environment
  return createContainerdEngine({
    socketPath: flags.string('containerd').replace(/^unix:\/\//, ''),
    namespace: flags.string('containerd-namespace'),
    envPrefixes: readPrefixes(environment, 'containerd_env_metadata_whitelist'),
  })
}

function createCrio({ flags }: ContainerEnvironment): Engine {
  const path = flags.string('crio').replace(/^unix:\/\//, '')
  return createCrioEngine(new EngineClient('crio', path === '' ? '' : `unix://${path}`, undefined, userAgent))
}
