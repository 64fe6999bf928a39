import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { existsSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'

const enforcing = 1
const permissive = 0
const disabled = -1
/** Label of processes before a policy is loaded. */
const kernelLabel = 'kernel'

export function createSelinuxCollector(environment: NodeEnvironment): Collector {
  const { attributes, files } = environment
  const enforcePath = environment.sysPath('fs/selinux/enforce')

  function collect({ writer }: CollectContext): void {
    const isEnabled = existsSync(enforcePath) && attributes.text(environment.procPath('self/attr/current')) !== kernelLabel
    if (isEnabled) {
      writer.family('node_selinux_config_mode', 'Mode in the configuration: 1 enforcing, 0 permissive, -1 disabled.', 'gauge')
      writer.sample(readConfiguredMode())
      writer.family('node_selinux_current_mode', 'Mode now: 1 enforcing, 0 permissive, -1 unknown.', 'gauge')
      const mode = attributes.integer(enforcePath)
      writer.sample(Number.isNaN(mode) ? disabled : mode)
    }
    writer.family('node_selinux_enabled', 'Whether SELinux is enabled.', 'gauge')
    writer.sample(isEnabled ? 1 : 0)
  }

  function readConfiguredMode(): number {
    const text = files.readTextIfThere(environment.rootfsPath('etc/selinux/config')) ?? ''
    const mode = /^[ \t]*SELINUX[ \t]*=[ \t]*(\w+)/m.exec(text)?.[1]
    return mode === 'enforcing' ? enforcing : mode === 'permissive' ? permissive : disabled
  }

  return { name: 'selinux', defaultOn: true, collect }
}
