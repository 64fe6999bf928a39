import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { machine } from 'node:os'
import type { NodeEnvironment } from './environment.ts'

export function createUnameCollector(environment: NodeEnvironment): Collector {
  const { files } = environment
  // What uname(2) answers, read where the kernel shows it: os.* has no domain name.
  const read = (name: string): string =>
    files
      .read(environment.procPath(`sys/kernel/${name}`))
      .toString('utf8')
      .replace(/\n$/, '')

  function collect({ writer }: CollectContext): void {
    const labels = ['domainname', read('domainname'), 'machine', machine(), 'nodename', read('hostname')]
    labels.push('release', read('osrelease'), 'sysname', read('ostype'), 'version', read('version'))
    writer.family('node_uname_info', 'What uname(2) says, as labels.', 'gauge')
    writer.sample(1, labels)
  }

  return { name: 'uname', defaultOn: true, collect }
}
