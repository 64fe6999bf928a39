import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'

interface Field {
  readonly metric: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
}

/** Fields of /proc/zoneinfo by their names there, in the order in which families are written. */
const fields = new Map<string, Field>()
for (const name of ['min', 'low', 'high', 'scanned', 'spanned', 'present', 'managed']) addField(name, `${name}_pages`, 'gauge')
const pageFields =
  'active_anon active_file anon_pages dirty file_pages free_pages inactive_anon inactive_file isolated_anon isolated_file mapped ' +
  'mlock_stack shmem slab_reclaimable slab_unreclaimable unevictable writeback'
for (const name of pageFields.split(' ')) addField(`nr_${name}`, `nr_${name.replace(/_?pages$/, '')}_pages`, 'gauge')
addField('nr_anon_transparent_hugepages', 'nr_anon_transparent_hugepages', 'gauge')
addField('nr_kernel_stack', 'nr_kernel_stacks', 'gauge')
for (const name of ['nr_dirtied', 'nr_written']) addField(name, `${name}_total`, 'counter')
for (const name of ['hit', 'miss', 'foreign', 'interleave', 'local', 'other']) addField(`numa_${name}`, `numa_${name}_total`, 'counter')

const fieldIndexes = new Map([...fields.keys()].map((name, index) => [name, index]))

function addField(name: string, metric: string, type: Field['type']): void {
  fields.set(name, { metric: `node_zoneinfo_${metric}`, type, help: `Field ${name} of /proc/zoneinfo.` })
}

interface Zone {
  readonly labels: readonly string[]
  /** By field; NaN for one that the zone does not have. */
  readonly values: Float64Array
  readonly protection: number[]
}

export function createZoneinfoCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('zoneinfo')

  function collect({ writer }: CollectContext): void {
    const zones = readZones()
    let index = 0
    for (const { metric, help, type } of fields.values()) {
      writer.family(metric, help, type)
      for (const { labels, values } of zones) if (!Number.isNaN(values[index]!)) writer.sample(values[index]!, labels)
      index++
    }
    const protections = Math.max(0, ...zones.map(({ protection }) => protection.length))
    for (let at = 0; at < protections; at++) {
      writer.family(`node_zoneinfo_protection_${at}`, `Number ${at} of the zone's protection.`, 'gauge')
      for (const { labels, protection } of zones) if (at < protection.length) writer.sample(protection[at]!, labels)
    }
  }

  // `Node 0, zone   Normal`, then lines of a name and a number, and `protection: (0, 2975, 15973, 15973)`. The statistics of a whole node
  // stand in its first zone.
  function readZones(): Zone[] {
    const zones: Zone[] = []
    scanner.load(files.read(path))
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      if (scanner.fieldIs('Node')) {
        zones.push(createZone())
        continue
      }
      const zone = zones.at(-1)
      if (zone === undefined) throw new Error(`cannot read ${path}: want a zone first, got ${JSON.stringify(scanner.text())}`)
      if (scanner.fieldIs('protection:')) readProtection(zone)
      const index = fieldIndexes.get(scanner.text())
      if (index === undefined) continue
      const value = scanner.nextUnsigned()
      if (!Number.isNaN(value)) zone.values[index] = value
    }
    return zones
  }

  function createZone(): Zone {
    scanner.nextField()
    const node = scanner.text().replace(/,$/, '')
    scanner.nextField()
    scanner.nextField()
    return { labels: ['node', node, 'zone', scanner.text()], values: new Float64Array(fields.size).fill(NaN), protection: [] }
  }

  function readProtection({ protection }: Zone): void {
    while (scanner.nextField()) protection.push(Number.parseInt(scanner.text().replaceAll(/[(),]/g, ''), 10))
  }

  return { name: 'zoneinfo', defaultOn: false, collect }
}
