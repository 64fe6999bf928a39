import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { Machine } from './machine.ts'
import { SharedAnswer } from './shared-answer.ts'
import { parseVmStatistics } from './vm-statistics.ts'

/** Families of pages, and how vm_stat(1) names them. */
const pages: readonly (readonly [name: string, row: string])[] = [
  ['active_bytes', 'Pages active'],
  ['compressed_bytes', 'Pages occupied by compressor'],
  ['inactive_bytes', 'Pages inactive'],
  ['internal_bytes', 'Anonymous pages'],
  ['purgeable_bytes', 'Pages purgeable'],
  ['swapped_in_bytes_total', 'Pageins'],
  ['swapped_out_bytes_total', 'Pageouts'],
  ['wired_bytes', 'Pages wired down'],
]

/** Size and free memory from Node.js, swap from the library; what macOS does with its pages, which the library adds up, from vm_stat. */
export function createMeminfoCollector(machine: Machine): Collector {
  const { platform, run, system } = machine
  const memory = new SharedAnswer(async () => (await machine.library()).mem(), 1_000)

  async function collect({ signal, writer }: CollectContext): Promise<void> {
    write(writer, 'total_bytes', system.totalmem())
    write(writer, 'free_bytes', system.freemem())
    const { swaptotal, swapused } = await memory.get()
    write(writer, 'swap_total_bytes', swaptotal)
    write(writer, 'swap_used_bytes', swapused)
    if (platform !== 'darwin') return
    const { counts, pageBytes } = parseVmStatistics(await run('/usr/bin/vm_stat', [], signal))
    for (const [name, row] of pages) {
      const count = counts.get(row)
      if (count !== undefined) write(writer, name, count * pageBytes)
    }
  }

  return { name: 'meminfo', defaultOn: true, collect }
}

function write(writer: MetricWriter, name: string, value: number): void {
  writer.family(`node_memory_${name}`, `Memory information field ${name}.`, name.endsWith('_total') ? 'counter' : 'gauge')
  writer.sample(value)
}
