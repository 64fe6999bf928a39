import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'

export function createFilefdCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('sys/fs/file-nr')

  function collect({ writer }: CollectContext): void {
    scanner.load(files.read(path))
    scanner.nextLine()
    const allocated = scanner.nextUnsigned()
    scanner.nextField() // free handles, always 0 since Linux 2.6
    const maximum = scanner.nextUnsigned()
    if (Number.isNaN(allocated + maximum)) throw new Error(`cannot read ${path}: want three numbers, got others`)
    writer.family('node_filefd_allocated', 'File handles in use.', 'gauge')
    writer.sample(allocated)
    writer.family('node_filefd_maximum', 'File handles that may be in use.', 'gauge')
    writer.sample(maximum)
  }

  return { name: 'filefd', defaultOn: true, collect }
}
