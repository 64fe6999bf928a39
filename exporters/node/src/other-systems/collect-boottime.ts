import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from '../environment.ts'
import type { Machine } from './machine.ts'

/** Two readings of a clock that counts seconds may differ by this much for one and the same boot. */
const jitterSeconds = 2

export function createBoottimeCollector(environment: NodeEnvironment, { system }: Machine): Collector {
  let bootSeconds = NaN

  function collect({ writer }: CollectContext): void {
    const seconds = Math.floor(environment.nowMs() / 1000 - system.uptime())
    if (!(Math.abs(seconds - bootSeconds) < jitterSeconds)) bootSeconds = seconds
    writer.family('node_boot_time_seconds', 'Time of the last boot in Unix time.', 'gauge')
    writer.sample(bootSeconds)
  }

  return { name: 'boottime', defaultOn: true, collect }
}
