import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'

const hash = 35

export function createCgroupsCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('cgroups')

  // `cpuset  3  2  1`: controller, hierarchy, number of groups, enabled.
  function collect({ writer }: CollectContext): void {
    const enabled: [name: string, value: number][] = []
    scanner.load(files.read(path))
    writer.family('node_cgroups_cgroups', 'Control groups of the controller.', 'gauge')
    while (scanner.nextLine()) {
      if (!scanner.nextField() || scanner.bytes[scanner.fieldStart] === hash) continue
      const name = scanner.text()
      scanner.nextField()
      const groups = scanner.nextUnsigned()
      const isEnabled = scanner.nextUnsigned()
      if (Number.isNaN(groups + isEnabled)) throw new Error(`cannot read ${path}: want three numbers for ${name}, got others`)
      writer.sample(groups, ['subsys_name', name])
      enabled.push([name, isEnabled])
    }
    writer.family('node_cgroups_enabled', 'Whether the controller is enabled (1) or not (0).', 'gauge')
    for (const [name, value] of enabled) writer.sample(value, ['subsys_name', name])
  }

  return { name: 'cgroups', defaultOn: false, collect }
}
