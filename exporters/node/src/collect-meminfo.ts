import type { Collector, CollectContext } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'

interface Field {
  readonly metric: string
  readonly help: string
  /** Bytes per unit of the file. */
  readonly factor: number
}

export function createMeminfoCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('meminfo')

  function collect({ writer }: CollectContext): void {
    scanner.load(files.read(path))
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      const field = fields.get(scanner.text(scanner.fieldStart, scanner.fieldEnd - 1))
      if (field === undefined) continue
      const value = scanner.nextUnsigned()
      if (Number.isNaN(value)) throw new Error(`cannot read ${path}: want a number, got ${JSON.stringify(scanner.text())}`)
      writer.family(field.metric, field.help, 'gauge')
      writer.sample(value * field.factor)
    }
  }

  return { name: 'meminfo', defaultOn: true, collect }
}

// Only known fields become families, so that a new kernel does not add series on its own.
const sizeFields =
  'Active Active(anon) Active(file) AnonHugePages AnonPages Bounce Buffers Cached CmaFree CmaTotal CommitLimit Committed_AS DirectMap1G ' +
  'DirectMap2M DirectMap4k Dirty HardwareCorrupted Hugepagesize Inactive Inactive(anon) Inactive(file) KernelStack Mapped MemAvailable ' +
  'MemFree MemTotal Mlocked NFS_Unstable PageTables Percpu SReclaimable SUnreclaim Shmem ShmemHugePages ShmemPmdMapped Slab SwapCached ' +
  'SwapFree SwapTotal Unevictable VmallocChunk VmallocTotal VmallocUsed Writeback WritebackTmp Zswap Zswapped'
const countFields = 'HugePages_Free HugePages_Rsvd HugePages_Surp HugePages_Total'

const fields = new Map<string, Field>()
for (const name of sizeFields.split(' ')) {
  const plain = name.replace('(', '_').replace(')', '')
  fields.set(name, { metric: `node_memory_${plain}_bytes`, help: `${plain} of /proc/meminfo in bytes.`, factor: 1024 })
}
for (const name of countFields.split(' ')) {
  fields.set(name, { metric: `node_memory_${name}`, help: `${name} of /proc/meminfo.`, factor: 1 })
}
