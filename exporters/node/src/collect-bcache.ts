import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { listSorted } from './attribute-reader.ts'
import type { NodeEnvironment } from './environment.ts'
import { HardwareReader } from './hardware-reader.ts'
import { parseBcacheNumber } from './human-number.ts'

export const bcacheFlags: readonly FlagSpec[] = [
  {
    name: 'collector.bcache.priorityStats',
    type: 'boolean',
    default: false,
    help: 'Expose expensive priority stats.',
  },
]

// Families by file (Documentation/admin-guide/bcache.rst). Of a cache set:
const setFamilies: readonly Family[] = [
  { file: 'internal/active_journal_entries', name: 'active_journal_entries', help: 'Journal entries newer than the index.' },
  { file: 'average_key_size', name: 'average_key_size_sectors', help: 'Sectors of data for each key of the tree.' },
  { file: 'btree_cache_size', name: 'btree_cache_size_bytes', help: 'Memory of the tree cache.' },
  { file: 'internal/btree_nodes', name: 'btree_nodes', help: 'Nodes of the tree.' },
  {
    file: 'internal/btree_read_average_duration_us',
    name: 'btree_read_average_duration_seconds',
    help: 'Average duration of reading the tree, as the original divides it.',
    // The file has microseconds; the original takes them for nanoseconds, and dashboards know its values.
    factor: 1e-9,
  },
  { file: 'cache_available_percent', name: 'cache_available_percent', help: 'Share of the cache without dirty data.' },
  { file: 'internal/cache_read_races', name: 'cache_read_races_total', help: 'Reads whose bucket was reused meanwhile.' },
  { file: 'congested', name: 'congested', help: 'Congestion of the cache.' },
  { file: 'root_usage_percent', name: 'root_usage_percent', help: 'Share of the root node in use.' },
  { file: 'tree_depth', name: 'tree_depth', help: 'Depth of the tree.' },
]
// Of a backing device:
const backingFamilies: readonly Family[] = [
  { file: 'stats_total/bypassed', name: 'bypassed_bytes_total', help: 'Bytes that went past the cache.' },
  { file: 'stats_total/cache_bypass_hits', name: 'cache_bypass_hits_total', help: 'Hits of I/O meant to go past the cache.' },
  { file: 'stats_total/cache_bypass_misses', name: 'cache_bypass_misses_total', help: 'Misses of I/O meant to go past the cache.' },
  { file: 'stats_total/cache_hits', name: 'cache_hits_total', help: 'Hits.' },
  { file: 'stats_total/cache_miss_collisions', name: 'cache_miss_collisions_total', help: 'Misses whose data another write had put in.' },
  { file: 'stats_total/cache_misses', name: 'cache_misses_total', help: 'Misses.' },
  { file: 'stats_total/cache_readaheads', name: 'cache_readaheads_total', help: 'Read-aheads.', skipsZero: true },
  { file: 'dirty_data', name: 'dirty_data_bytes', help: 'Dirty bytes of the backing device in the cache.' },
]
// Lines of a backing device's writeback_rate_debug:
const writebackFamilies: readonly Family[] = [
  { file: 'target', name: 'dirty_target_bytes', help: 'Dirty bytes aimed at for the backing device.' },
  { file: 'change', name: 'writeback_change', help: 'Last change of the write-back rate.' },
  { file: 'rate', name: 'writeback_rate', help: 'Write-back rate in bytes per second.' },
  { file: 'integral', name: 'writeback_rate_integral_term', help: 'Integral term of the write-back rate.' },
  { file: 'proportional', name: 'writeback_rate_proportional_term', help: 'Proportional term of the write-back rate.' },
]
// Of a cache device:
const cacheFamilies: readonly Family[] = [
  { file: 'io_errors', name: 'io_errors', help: 'Errors of the cache device, decaying.' },
  { file: 'metadata_written', name: 'metadata_written_bytes_total', help: 'Bytes of metadata written to the cache device.' },
  { file: 'written', name: 'written_bytes_total', help: 'Bytes of data written to the cache device.' },
]
// Lines of a cache device's priority_stats:
const priorityFamilies: readonly Family[] = [
  { file: 'Metadata', name: 'priority_stats_metadata_percent', help: 'Share of the cache that holds metadata.' },
  { file: 'Unused', name: 'priority_stats_unused_percent', help: 'Share of the cache that holds no data.' },
]

interface Family {
  readonly file: string
  readonly name: string
  readonly help: string
  readonly factor?: number
  readonly skipsZero?: boolean
}

/** A cache set or one of its devices. */
interface Subject {
  readonly directory: string
  readonly labels: readonly string[]
}

export function createBcacheCollector(environment: NodeEnvironment): Collector {
  const { attributes, files } = environment
  const root = environment.sysPath('fs/bcache')
  const hasPriorityStats = environment.flags.boolean('collector.bcache.priorityStats')
  const hardware = new HardwareReader(attributes)

  function collect({ writer }: CollectContext): void | Promise<void> {
    const sets = listSorted(root).filter((name) => name.includes('-'))
    if (sets.length === 0) return undefined
    const subjects = sets.map((name) => ({ directory: `${root}/${name}`, labels: ['uuid', name] }))
    const backing = subjects.flatMap((set) => listDevices(set, 'bdev', 'backing_device'))
    const caches = subjects.flatMap((set) => listDevices(set, 'cache', 'cache_device'))
    writeFiles(writer, setFamilies, subjects)
    writeFiles(writer, backingFamilies, backing)
    const rates = backing.map(({ directory }) => parseLines(files.readTextIfThere(`${directory}/writeback_rate_debug`)))
    writeLines(writer, writebackFamilies, backing, rates)
    writeFiles(writer, cacheFamilies, caches)
    return hasPriorityStats ? writePriorities(writer, caches) : undefined
  }

  /** A file that is not there counts as 0, as in the original. */
  function writeFiles(writer: MetricWriter, families: readonly Family[], subjects: readonly Subject[]): void {
    for (const family of families) {
      startFamily(writer, family)
      for (const { directory, labels } of subjects) {
        const text = attributes.text(`${directory}/${family.file}`)
        const value = text === undefined ? 0 : parseBcacheNumber(text) * (family.factor ?? 1)
        if (!Number.isNaN(value) && !(family.skipsZero === true && value === 0)) writer.sample(value, labels)
      }
    }
  }

  // The kernel sorts all buckets of the cache for it.
  async function writePriorities(writer: MetricWriter, caches: readonly Subject[]): Promise<void> {
    const statistics: ReadonlyMap<string, number>[] = []
    for (const { directory } of caches) {
      const [text] = await hardware.read(directory, [`${directory}/priority_stats`])
      statistics.push(parseLines(text))
    }
    writeLines(writer, priorityFamilies, caches, statistics)
  }

  return { name: 'bcache', defaultOn: true, collect }
}

function listDevices({ directory, labels }: Subject, prefix: string, label: string): Subject[] {
  return listSorted(directory)
    .filter((name) => name.startsWith(prefix) && /^[0-9]/.test(name.slice(prefix.length)))
    .map((name) => ({ directory: `${directory}/${name}`, labels: [label, name, ...labels] }))
}

function startFamily(writer: MetricWriter, { name, help }: Family): void {
  writer.family(`node_bcache_${name}`, help, name.endsWith('_total') ? 'counter' : 'gauge')
}

function writeLines(
  writer: MetricWriter,
  families: readonly Family[],
  subjects: readonly Subject[],
  lines: readonly ReadonlyMap<string, number>[],
): void {
  for (const family of families) {
    startFamily(writer, family)
    subjects.forEach(({ labels }, index) => {
      const value = lines[index]!.get(family.file)
      if (value !== undefined) writer.sample(value, labels)
    })
  }
}

/** `rate: 1.1M/sec`, `Unused: 99%`: the numbers by key, without their units. */
function parseLines(text = ''): ReadonlyMap<string, number> {
  const values = new Map<string, number>()
  for (const line of text.split('\n')) {
    const match = /^([^:]+):\s*(\S+?)(?:\/sec|%|ms)?$/.exec(line.trim())
    const value = match === null ? NaN : parseBcacheNumber(match[2]!)
    if (match !== null && !Number.isNaN(value)) values.set(match[1]!, value)
  }
  return values
}
