import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { parseGoFloat } from '@narthex/model/number'
import type { NodeEnvironment } from './environment.ts'

export function createLoadavgCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('loadavg')

  function collect({ writer }: CollectContext): void {
    scanner.load(files.read(path))
    scanner.nextLine()
    for (const minutes of [1, 5, 15]) {
      const value = scanner.nextField() ? parseGoFloat(scanner.text()) : undefined
      if (value === undefined) throw new Error(`cannot read ${path}: want three numbers, got ${JSON.stringify(scanner.text())}`)
      writer.family(`node_load${minutes}`, `Load average over ${minutes}m.`, 'gauge')
      writer.sample(value)
    }
  }

  return { name: 'loadavg', defaultOn: true, collect }
}
