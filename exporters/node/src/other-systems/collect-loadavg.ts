import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { Machine } from './machine.ts'

export function createLoadavgCollector({ system }: Machine): Collector {
  function collect({ writer }: CollectContext): void {
    const loads = system.loadavg()
    for (const [index, minutes] of [1, 5, 15].entries()) {
      writer.family(`node_load${minutes}`, `Load average over ${minutes}m.`, 'gauge')
      writer.sample(loads[index]!)
    }
  }

  return { name: 'loadavg', defaultOn: true, collect }
}
