import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'
import { parseInteger } from './number-file.ts'

interface Swap {
  readonly labels: readonly string[]
  readonly sizeKibibytes: number
  readonly usedKibibytes: number
  readonly priority: number
}

export function createSwapCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('swaps')

  function collect({ writer }: CollectContext): void {
    const swaps = readSwaps()
    writer.family('node_swap_priority', 'Priority of the swap space.', 'gauge')
    for (const { labels, priority } of swaps) writer.sample(priority, labels)
    writer.family('node_swap_size_bytes', 'Size of the swap space.', 'gauge')
    for (const { labels, sizeKibibytes } of swaps) writer.sample(sizeKibibytes * 1024, labels)
    writer.family('node_swap_used_bytes', 'Bytes of the swap space in use.', 'gauge')
    for (const { labels, usedKibibytes } of swaps) writer.sample(usedKibibytes * 1024, labels)
  }

  // A line of names, then `/dev/dm-2  partition  131068  176  -2`.
  function readSwaps(): Swap[] {
    const swaps: Swap[] = []
    scanner.load(files.read(path))
    scanner.nextLine()
    while (scanner.nextLine()) {
      const fields: string[] = []
      while (scanner.nextField()) fields.push(scanner.text())
      const [device = '', type = '', ...numbers] = fields
      const [size, used, priority] = numbers.map((text) => parseInteger(text))
      if (size === undefined || used === undefined || priority === undefined) {
        throw new Error(`cannot read ${path}: want a device, a type and three numbers, got ${JSON.stringify(fields.join(' '))}`)
      }
      swaps.push({ labels: ['device', device, 'swap_type', type], sizeKibibytes: size, usedKibibytes: used, priority })
    }
    return swaps
  }

  return { name: 'swap', defaultOn: false, collect }
}
