import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'

export function createEntropyCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment

  function collect({ writer }: CollectContext): void {
    const available = read('entropy_avail')
    writer.family('node_entropy_available_bits', 'Entropy at hand.', 'gauge')
    writer.sample(available)
    const poolSize = read('poolsize')
    writer.family('node_entropy_pool_size_bits', 'Size of the entropy pool.', 'gauge')
    writer.sample(poolSize)
  }

  function read(name: string): number {
    const path = environment.procPath(`sys/kernel/random/${name}`)
    scanner.load(files.read(path))
    scanner.nextLine()
    const value = scanner.nextUnsigned()
    if (Number.isNaN(value)) throw new Error(`cannot read ${path}: want a number, got ${JSON.stringify(scanner.text())}`)
    return value
  }

  return { name: 'entropy', defaultOn: true, collect }
}
