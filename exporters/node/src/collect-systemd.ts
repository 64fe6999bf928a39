import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { NamePattern } from '@narthex/exporter-kit/name-filter'
import { findSystemBus, SharedConnection, withConnection, type DbusPlace } from './dbus/shared-connection.ts'
import type { NodeEnvironment } from './environment.ts'
import { writeSystemd } from './systemd-families.ts'
import { SystemdReader } from './systemd-reader.ts'

export const systemdFlags: readonly FlagSpec[] = [
  { name: 'collector.systemd.unit-include', type: 'string', default: '.+', help: 'Regexp of systemd units to include (whole names).' },
  {
    name: 'collector.systemd.unit-exclude',
    type: 'string',
    default: '.+\\.(automount|device|mount|scope|slice)',
    help: 'Regexp of systemd units to exclude (whole names).',
  },
  { name: 'collector.systemd.unit-whitelist', type: 'string', hidden: true, help: 'Old name of unit-include.' },
  { name: 'collector.systemd.unit-blacklist', type: 'string', hidden: true, help: 'Old name of unit-exclude.' },
  {
    name: 'collector.systemd.private',
    type: 'boolean',
    default: false,
    hidden: true,
    help: 'Speak to systemd directly, without the bus (needs root).',
  },
  {
    name: 'collector.systemd.enable-task-metrics',
    type: 'boolean',
    default: false,
    help: 'Tasks of each service: unit_tasks_current and unit_tasks_max.',
  },
  {
    name: 'collector.systemd.enable-restarts-metrics',
    type: 'boolean',
    default: false,
    help: 'Restarts of each service: service_restart_total.',
  },
  {
    name: 'collector.systemd.enable-start-time-metrics',
    type: 'boolean',
    default: false,
    help: 'Start of each unit: unit_start_time_seconds.',
  },
]

/** Where systemd itself listens, for root alone. */
const privatePlace: DbusPlace = { socketPath: '/run/systemd/private', isBus: false }

export function createSystemdCollector(environment: NodeEnvironment): Collector {
  const { flags, log, nowMs } = environment
  const connection = new SharedConnection(findPlaces(flags.boolean('collector.systemd.private')))
  const include = wholeName(readRenamed('unit-include', 'unit-whitelist'))
  const exclude = wholeName(readRenamed('unit-exclude', 'unit-blacklist'))
  const reader = new SystemdReader({
    isWanted: (name) => include.test(name) && !exclude.test(name),
    hasTasks: flags.boolean('collector.systemd.enable-task-metrics'),
    hasRestarts: flags.boolean('collector.systemd.enable-restarts-metrics'),
    hasStartTimes: flags.boolean('collector.systemd.enable-start-time-metrics'),
    log,
    nowMs,
  })

  async function collect({ writer, signal }: CollectContext): Promise<void> {
    const state = await withConnection(connection, signal, (bus) => reader.read(bus))
    writeSystemd(writer, state)
    if (state.systemStateError !== undefined) throw state.systemStateError
  }

  function readRenamed(name: string, oldName: string): string {
    const [flag, oldFlag] = [`collector.systemd.${name}`, `collector.systemd.${oldName}`] as const
    if (flags.isGiven(flag) && flags.isGiven(oldFlag)) throw new Error(`cannot use ${oldFlag}: want one of it and ${flag}, got both`)
    return flags.stringOfFirstGiven(flag, oldFlag)
  }

  return { name: 'systemd', defaultOn: false, collect, close: () => connection.reset(new Error('the exporter was closed')) }
}

/** As the original: root speaks to systemd directly where there is no bus. */
function findPlaces(isPrivate: boolean): DbusPlace[] {
  if (isPrivate) return [privatePlace]
  return process.geteuid?.() === 0 ? [findSystemBus(), privatePlace] : [findSystemBus()]
}

function wholeName(pattern: string): NamePattern {
  return new NamePattern(`^(?:${pattern})$`)
}
