import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { Machine } from './machine.ts'

interface Times {
  readonly user: number
  readonly nice: number
  readonly sys: number
  readonly idle: number
}

type Mode = readonly [mode: string, field: keyof Times]

const modes: readonly Mode[] = [
  ['idle', 'idle'],
  ['nice', 'nice'],
  ['system', 'sys'],
  ['user', 'user'],
]
// Windows has no nice, and counts interrupts within the system's time.
const windowsModes = modes.filter(([mode]) => mode !== 'nice')

/** Counters of the kernel, which Node.js gives in milliseconds. */
export function createCpuCollector({ platform, system }: Machine): Collector {
  const shown = platform === 'win32' ? windowsModes : modes

  function collect({ writer }: CollectContext): void {
    writer.family('node_cpu_seconds_total', 'Seconds the CPUs spent in each mode.', 'counter')
    system.cpus().forEach(({ times }, index) => {
      for (const [mode, field] of shown) writer.sample(times[field] / 1000, ['cpu', String(index), 'mode', mode])
    })
  }

  return { name: 'cpu', defaultOn: true, collect }
}
