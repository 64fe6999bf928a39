import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { existsSync, readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'

export const runitFlags: readonly FlagSpec[] = [
  { name: 'collector.runit.servicedir', type: 'string', default: '/etc/service', help: 'Path to runit service directory.' },
]

/** TAI64 labels count from 2^62, 10 s ahead of Unix time. */
const taiOffsetSeconds = (1n << 62n) + 10n

/** supervise/status: `time 12 B (TAI64N) | process id 4 B | paused 1 B | wanted 1 B (u, d) | terminating 1 B | state 1 B`. */
const statusBytes = 20
const wantedAt = 17
const stateAt = 19

interface Service {
  readonly labels: readonly string[]
  readonly state: number
  readonly desired: number
  readonly normal: number
  readonly changedSeconds: number
}

export function createRunitCollector(environment: NodeEnvironment): Collector {
  const root = environment.flags.string('collector.runit.servicedir')

  function collect({ writer }: CollectContext): void {
    const services = listServices().flatMap((name) => readService(name) ?? [])
    const write = (name: string, help: string, pick: (service: Service) => number): void => {
      writer.family(`node_service_${name}`, help, 'gauge')
      for (const service of services) writer.sample(pick(service), service.labels)
    }
    write('desired_state', 'State that the service should be in: down (0) or up (1).', ({ desired }) => desired)
    write('normal_state', 'State that the service is in after a boot: down (0) or up (1).', ({ normal }) => normal)
    write('state', 'State of the service: down (0), up (1) or finishing (2).', ({ state }) => state)
    write('state_last_change_timestamp_seconds', 'Unix time of the last change of state.', ({ changedSeconds }) => changedSeconds)
  }

  function listServices(): string[] {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isSymbolicLink() || entry.isDirectory())
      .map(({ name }) => name)
      .sort()
  }

  /** Undefined for a service that is not supervised. */
  function readService(name: string): Service | undefined {
    const status = environment.files.readIfThere(`${root}/${name}/supervise/status`)
    if (status === undefined || status.length < statusBytes) return undefined
    return {
      labels: ['service', name, 'supervisor', 'runit'],
      state: status[stateAt]!,
      desired: status[wantedAt] === 'u'.charCodeAt(0) ? 1 : 0,
      changedSeconds: Number(status.readBigUInt64BE(0) - taiOffsetSeconds),
      normal: existsSync(`${root}/${name}/supervise/down`) ? 0 : 1,
    }
  }

  return { name: 'runit', defaultOn: false, collect }
}
