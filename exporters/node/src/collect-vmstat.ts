import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { NamePattern } from '@narthex/exporter-kit/name-filter'
import type { NodeEnvironment } from './environment.ts'

export const vmstatFlags: readonly FlagSpec[] = [
  {
    name: 'collector.vmstat.fields',
    type: 'string',
    default: '^(oom_kill|pgpg|pswp|pg.*fault).*',
    help: 'Regexp of fields to return for vmstat collector.',
  },
]

export function createVmstatCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('vmstat')
  const wanted = new NamePattern(environment.flags.string('collector.vmstat.fields'))

  function collect({ writer }: CollectContext): void {
    scanner.load(files.read(path))
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      const name = scanner.text()
      if (!wanted.test(name)) continue
      const value = scanner.nextUnsigned()
      if (Number.isNaN(value)) throw new Error(`cannot read ${path}: want a number for ${name}, got ${JSON.stringify(scanner.text())}`)
      writer.family(`node_vmstat_${name}`, `Field ${name} of /proc/vmstat.`, 'untyped')
      writer.sample(value)
    }
  }

  return { name: 'vmstat', defaultOn: true, collect }
}
