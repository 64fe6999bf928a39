import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { SystemdState, SystemdUnit } from './systemd-reader.ts'

const stateNames = ['activating', 'active', 'deactivating', 'failed', 'inactive']

interface NumberFamily {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly pick: (unit: SystemdUnit) => number | undefined
}

const numbers: readonly NumberFamily[] = [
  { name: 'service_restart_total', help: 'Restarts of the service.', type: 'counter', pick: ({ restarts }) => restarts },
  { name: 'socket_accepted_connections_total', help: 'Connections accepted.', type: 'counter', pick: ({ accepted }) => accepted },
  { name: 'socket_current_connections', help: 'Connections open now.', type: 'gauge', pick: ({ connections }) => connections },
  { name: 'socket_refused_connections_total', help: 'Connections refused.', type: 'gauge', pick: ({ refused }) => refused },
  {
    name: 'timer_last_trigger_seconds',
    help: 'Unix time of the last trigger.',
    type: 'gauge',
    pick: ({ lastTriggerSeconds }) => lastTriggerSeconds,
  },
  {
    name: 'unit_start_time_seconds',
    help: 'Unix time at which the unit became active.',
    type: 'gauge',
    pick: ({ startSeconds }) => startSeconds,
  },
  { name: 'unit_tasks_current', help: 'Tasks of the unit now.', type: 'gauge', pick: ({ tasksCurrent }) => tasksCurrent },
  { name: 'unit_tasks_max', help: 'Most tasks that the unit may have.', type: 'gauge', pick: ({ tasksMax }) => tasksMax },
]

export function writeSystemd(writer: MetricWriter, { counts, isRunning, units, version, versionText, virtualization }: SystemdState): void {
  writer.family('node_systemd_version', 'Version of systemd.', 'gauge')
  writer.sample(version, ['version', versionText])
  writer.family('node_systemd_virtualization_info', 'Virtualization that systemd detected, as label.', 'gauge')
  writer.sample(1, ['virtualization_type', virtualization])
  if (isRunning !== undefined) {
    writer.family('node_systemd_system_running', 'Whether the system is operational (as systemctl is-system-running).', 'gauge')
    writer.sample(isRunning ? 1 : 0)
  }
  writer.family('node_systemd_units', 'Units by state.', 'gauge')
  for (const state of new Set([...stateNames, ...counts.keys()])) writer.sample(counts.get(state) ?? 0, ['state', state])
  writeStates(writer, units)
  for (const { name, help, type, pick } of numbers) {
    writer.family(`node_systemd_${name}`, help, type)
    for (const unit of units) {
      const value = pick(unit)
      if (value !== undefined) writer.sample(value, ['name', unit.name])
    }
  }
}

function writeStates(writer: MetricWriter, units: readonly SystemdUnit[]): void {
  writer.family('node_systemd_unit_state', 'State of the unit: 1 for the one it is in.', 'gauge')
  // One list for all samples: the writer keeps none.
  const labels = ['name', '', 'state', '', 'type', '']
  for (const { name, activeState, type } of units) {
    labels[1] = name
    labels[5] = type
    for (const state of stateNames) {
      labels[3] = state
      writer.sample(state === activeState ? 1 : 0, labels)
    }
  }
}
