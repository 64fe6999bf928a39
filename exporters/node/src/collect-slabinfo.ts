import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { NameFilter } from '@narthex/exporter-kit/name-filter'
import type { NodeEnvironment } from './environment.ts'

export const slabinfoFlags: readonly FlagSpec[] = [
  { name: 'collector.slabinfo.slabs-include', type: 'string', default: '.*', help: 'Regexp of slabs to include.' },
  { name: 'collector.slabinfo.slabs-exclude', type: 'string', default: '', help: 'Regexp of slabs to exclude.' },
]

/** The first five numbers of a line, in the file's order. */
const families: readonly (readonly [name: string, help: string])[] = [
  ['active_objects', 'Objects of the slab in use.'],
  ['objects', 'Objects of the slab.'],
  ['object_size_bytes', 'Size of an object.'],
  ['objects_per_slab', 'Objects in each slab.'],
  ['pages_per_slab', 'Pages of each slab.'],
]

interface Slab {
  readonly labels: readonly string[]
  readonly values: Float64Array
}

export function createSlabinfoCollector(environment: NodeEnvironment): Collector {
  const { files, flags, scanner } = environment
  const path = environment.procPath('slabinfo')
  const filter = new NameFilter(flags.string('collector.slabinfo.slabs-exclude'), flags.string('collector.slabinfo.slabs-include'))
  let known = new Map<string, Slab>()

  function collect({ writer }: CollectContext): void {
    const slabs = readSlabs()
    families.forEach(([name, help], index) => {
      writer.family(`node_slabinfo_${name}`, help, 'gauge')
      for (const slab of slabs) writer.sample(slab.values[index]!, slab.labels)
    })
  }

  // A line with the version, one with the columns, then
  // `kmem_cache  111  112  256  32  2 : tunables  0  0  0 : slabdata  4  4  0`.
  function readSlabs(): Slab[] {
    const slabs: Slab[] = []
    scanner.load(files.read(path))
    while (scanner.nextLine()) {
      if (!scanner.nextField() || scanner.fieldIs('slabinfo') || scanner.fieldIs('#')) continue
      const name = scanner.text()
      if (filter.isIgnored(name)) continue
      const slab = known.get(name) ?? { labels: ['slab', name], values: new Float64Array(families.length) }
      for (let index = 0; index < families.length; index++) slab.values[index] = scanner.nextUnsigned()
      if (slab.values.some((value) => Number.isNaN(value)))
        throw new Error(`cannot read ${path}: want five numbers for ${name}, got others`)
      slabs.push(slab)
    }
    known = new Map(slabs.map((slab) => [slab.labels[1]!, slab]))
    return slabs
  }

  return { name: 'slabinfo', defaultOn: false, collect }
}
