import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'

const types = new Set('HI TIMER NET_TX NET_RX BLOCK IRQ_POLL TASKLET SCHED HRTIMER RCU'.split(' '))

export function createSoftirqsCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('softirqs')

  function collect({ writer }: CollectContext): void {
    scanner.load(files.read(path))
    if (!scanner.nextLine()) throw new Error(`cannot read ${path}: want a line of CPUs, got nothing`)
    writer.family('node_softirqs_functions_total', 'Soft interrupts by CPU and type.', 'counter')
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      const type = scanner.text(scanner.fieldStart, scanner.fieldEnd - 1)
      if (!types.has(type)) continue
      for (let cpu = 0; scanner.nextField(); cpu++) {
        const value = scanner.unsigned()
        if (Number.isNaN(value)) throw new Error(`cannot read ${path}: want a number for ${type}, got ${JSON.stringify(scanner.text())}`)
        writer.sample(value, ['cpu', String(cpu), 'type', type])
      }
    }
  }

  return { name: 'softirqs', defaultOn: false, collect }
}
