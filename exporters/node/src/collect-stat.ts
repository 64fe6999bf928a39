import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { compareLabels } from './compare-labels.ts'
import type { NodeEnvironment } from './environment.ts'
import { softirqVectors } from './stat-file.ts'

export const statFlags: readonly FlagSpec[] = [
  { name: 'collector.stat.softirq', type: 'boolean', default: false, help: 'Export softirq calls per vector.' },
]

export function createStatCollector(environment: NodeEnvironment): Collector {
  const { stat } = environment
  const showsSoftirqs = environment.flags.boolean('collector.stat.softirq')
  const softirqs = softirqVectors
    .map((vector, index) => ({ labels: ['vector', vector], index }))
    .sort((a, b) => compareLabels(a.labels, b.labels))

  function collect({ writer, scrape }: CollectContext): void {
    stat.readFor(scrape)
    const write = (name: string, help: string, type: 'counter' | 'gauge', value: number): void => {
      writer.family(name, help, type)
      writer.sample(value)
    }
    write('node_boot_time_seconds', 'Unix time of the boot.', 'gauge', orZero(stat.bootTimeSeconds))
    write('node_context_switches_total', 'Context switches.', 'counter', orZero(stat.contextSwitches))
    write('node_forks_total', 'Forks.', 'counter', orZero(stat.forks))
    write('node_intr_total', 'Interrupts serviced.', 'counter', orZero(stat.interrupts))
    write('node_procs_blocked', 'Processes that wait for I/O.', 'gauge', orZero(stat.processesBlocked))
    write('node_procs_running', 'Processes in runnable state.', 'gauge', orZero(stat.processesRunning))
    if (!showsSoftirqs) return
    writer.family('node_softirqs_total', 'Softirq calls.', 'counter')
    for (const { labels, index } of softirqs) if (index < stat.softirqCount) writer.sample(stat.softirqs[index]!, labels)
  }

  return { name: 'stat', defaultOn: true, collect }
}

/** A line that the kernel does not print counts as 0, as in the original. */
function orZero(value: number): number {
  return Number.isNaN(value) ? 0 : value
}
