import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { listSorted } from './attribute-reader.ts'
import type { NodeEnvironment } from './environment.ts'

// Lines of /sys/fs/xfs/DEVICE/stats/stats and the families of their numbers in order (`struct __xfsstats` in fs/xfs/xfs_stats.h).
const lines: readonly (readonly [key: string, names: string])[] = [
  [
    'extent_alloc',
    'extent_allocation_extents_allocated extent_allocation_blocks_allocated extent_allocation_extents_freed extent_allocation_blocks_freed',
  ],
  ['abt', 'allocation_btree_lookups allocation_btree_compares allocation_btree_records_inserted allocation_btree_records_deleted'],
  [
    'blk_map',
    'block_mapping_reads block_mapping_writes block_mapping_unmaps block_mapping_extent_list_insertions ' +
      'block_mapping_extent_list_deletions block_mapping_extent_list_lookups block_mapping_extent_list_compares',
  ],
  ['bmbt', 'block_map_btree_lookups block_map_btree_compares block_map_btree_records_inserted block_map_btree_records_deleted'],
  ['dir', 'directory_operation_lookup directory_operation_create directory_operation_remove directory_operation_getdents'],
  [
    'ig',
    'inode_operation_attempts inode_operation_found inode_operation_recycled inode_operation_missed inode_operation_duplicates ' +
      'inode_operation_reclaims inode_operation_attribute_changes',
  ],
  ['rw', 'write_calls read_calls'],
  ['vnodes', 'vnode_active vnode_allocate vnode_get vnode_hold vnode_release vnode_reclaim vnode_remove'],
]

interface Family {
  readonly name: string
  readonly help: string
  readonly slot: number
}

// Values of one file system are kept in one row of slots, in the order of `lines`.
const slotsByKey = new Map<string, { readonly start: number; readonly end: number }>()
const families: Family[] = []
let slotCount = 0
for (const [key, names] of lines) {
  const start = slotCount
  for (const name of names.split(' ')) {
    families.push({ name: `node_xfs_${name}_total`, help: `XFS statistic ${key}: ${name.replaceAll('_', ' ')}.`, slot: slotCount++ })
  }
  slotsByKey.set(key, { start, end: slotCount })
}
families.sort((a, b) => (a.name < b.name ? -1 : 1))

export function createXfsCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const root = environment.sysPath('fs/xfs')

  function collect({ writer }: CollectContext): void {
    const devices: { readonly labels: readonly string[]; readonly values: Float64Array }[] = []
    for (const name of listSorted(root)) {
      // `stats` holds the sums over all; a file system that is unmounted meanwhile is left out.
      const bytes = name === 'stats' ? undefined : files.readIfThere(`${root}/${name}/stats/stats`)
      if (bytes === undefined) continue
      scanner.load(bytes)
      devices.push({ labels: ['device', name], values: readValues() })
    }
    if (devices.length === 0) return
    for (const { name, help, slot } of families) {
      writer.family(name, help, 'counter')
      for (const { labels, values } of devices) writer.sample(values[slot]!, labels)
    }
  }

  function readValues(): Float64Array {
    const values = new Float64Array(slotCount)
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      const slots = slotsByKey.get(scanner.text())
      if (slots === undefined) continue
      for (let slot = slots.start; slot < slots.end; slot++) {
        const value = scanner.nextUnsigned()
        if (Number.isNaN(value)) {
          throw new Error(`cannot read XFS statistics: want more numbers, got ${scanner.text(scanner.lineStart, scanner.lineEnd)}`)
        }
        values[slot] = value
      }
    }
    return values
  }

  return { name: 'xfs', defaultOn: true, collect }
}
