import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { Machine } from './machine.ts'

export function createUnameCollector({ system }: Machine): Collector {
  function collect({ writer }: CollectContext): void {
    // These systems have no domain name: as the original, it is what stands behind the first point of the host's name.
    const [, nodename, domainname = '(none)'] = /^([^.]*)(?:\.(.*))?$/s.exec(system.hostname())!
    const labels = ['domainname', domainname, 'machine', system.machine(), 'nodename', nodename!]
    labels.push('release', system.release(), 'sysname', system.type(), 'version', system.version())
    writer.family('node_uname_info', 'What uname(2) says, as labels.', 'gauge')
    writer.sample(1, labels)
  }

  return { name: 'uname', defaultOn: true, collect }
}
