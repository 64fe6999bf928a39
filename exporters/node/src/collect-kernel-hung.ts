import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { existsSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'

export function createKernelHungCollector(environment: NodeEnvironment): Collector {
  const path = environment.procPath('sys/kernel/hung_task_detect_count')

  function collect({ writer }: CollectContext): void {
    const count = environment.attributes.integer(path)
    if (Number.isNaN(count)) {
      if (!existsSync(path)) throw new NoDataError('the kernel (before 6.13) does not count hung tasks')
      throw new Error(`cannot read ${path}: want a number, got none`)
    }
    writer.family('node_kernel_hung_tasks_total', 'Tasks that were found to hang.', 'counter')
    writer.sample(count)
  }

  return { name: 'kernel_hung', defaultOn: true, collect }
}
