import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'

export function createBuddyinfoCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('buddyinfo')

  // `Node 0, zone    DMA32   3157   2852 …`: free blocks of 1, 2, 4 … pages; `size` is the exponent.
  function collect({ writer }: CollectContext): void {
    scanner.load(files.read(path))
    writer.family('node_buddyinfo_blocks', 'Free blocks of 2^size pages.', 'gauge')
    while (scanner.nextLine()) {
      scanner.nextField()
      const node = nextText()
      scanner.nextField()
      const zone = nextText()
      if (zone === '')
        throw new Error(
          `cannot read ${path}: want a node and a zone, got ${JSON.stringify(scanner.text(scanner.lineStart, scanner.lineEnd))}`,
        )
      for (let size = 0; scanner.nextField(); size++) {
        const value = scanner.unsigned()
        if (Number.isNaN(value)) throw new Error(`cannot read ${path}: want a number for ${zone}, got ${JSON.stringify(scanner.text())}`)
        writer.sample(value, ['node', node, 'size', String(size), 'zone', zone])
      }
    }
  }

  function nextText(): string {
    scanner.nextField()
    return scanner.text().replace(/,$/, '')
  }

  return { name: 'buddyinfo', defaultOn: false, collect }
}
