import { NoDataError, type CollectContext, type Collector, type MetricWriter } from '@narthex/exporter-kit/collector'
import { existsSync } from 'node:fs'
import { listSorted, parseInteger } from './attribute-reader.ts'
import { compareLabels } from './compare-labels.ts'
import type { NodeEnvironment } from './environment.ts'
import { listDirectories } from './list-directories.ts'

// Files in /proc/spl/kstat/zfs and the word for them in names.
const subsystems: readonly (readonly [file: string, word: string])[] = [
  ['abdstats', 'abd'],
  ['arcstats', 'arc'],
  ['dbufstats', 'dbuf'],
  ['dmu_tx', 'dmu_tx'],
  ['dnodestats', 'dnode'],
  ['fm', 'fm'],
  ['vdev_cache_stats', 'vdev_cache'],
  ['vdev_mirror_stats', 'vdev_mirror'],
  ['xuio_stats', 'xuio'],
  ['zfetchstats', 'zfetch'],
  ['zil', 'zil'],
]

const poolStates = ['degraded', 'faulted', 'offline', 'online', 'removed', 'suspended', 'unavail']

// Types of a kstat's values (KSTAT_DATA_* of OpenZFS): these two are exposed.
const int64Type = '3'
const uint64Type = '4'

interface Row {
  readonly labels: readonly string[]
  readonly values: ReadonlyMap<string, number>
}

export function createZfsCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const root = environment.procPath('spl/kstat/zfs')

  function collect({ writer }: CollectContext): void {
    if (!existsSync(root)) throw new NoDataError('the ZFS module is not loaded')
    for (const [file, word] of subsystems) {
      const bytes = files.readIfThere(`${root}/${file}`)
      if (bytes === undefined) continue // not every version has each
      scanner.load(bytes)
      const { values } = readKstat(`${root}/${file}`)
      for (const [field, value] of values) {
        writer.family(`node_zfs_${word}_${nameField(field)}`, `kstat.zfs.misc.${file}.${field}`, 'untyped')
        writer.sample(value)
      }
    }
    writePools(writer)
  }

  /** Values by field, and the data set's name where there is one. */
  function readKstat(path: string): { values: ReadonlyMap<string, number>; datasetName: string } {
    const values = new Map<string, number>()
    let datasetName = ''
    let isBehindHeading = false
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      const field = scanner.text()
      if (!scanner.nextField()) continue
      const type = scanner.text()
      if (!scanner.nextField()) continue
      if (!isBehindHeading) isBehindHeading = field === 'name' && type === 'type' && scanner.fieldIs('data')
      else if (field === 'dataset_name') datasetName = scanner.text(scanner.fieldStart, scanner.lineEnd)
      else if (type === uint64Type || type === int64Type) {
        const value = type === uint64Type ? scanner.unsigned() : parseInteger(scanner.bytes, scanner.fieldStart, scanner.fieldEnd)
        if (Number.isNaN(value)) throw new Error(`cannot read ${path}: want a number for ${field}, got ${scanner.text()}`)
        values.set(field, value)
      }
    }
    if (!isBehindHeading) throw new Error(`cannot read ${path}: want a heading "name type data", got none`)
    return { values, datasetName }
  }

  function writePools(writer: MetricWriter): void {
    const ioRows: Row[] = []
    const datasetRows: Row[] = []
    const states: { readonly pool: string; readonly state: string }[] = []
    for (const pool of listDirectories(root)) {
      const labels = ['zpool', pool]
      for (const file of listSorted(`${root}/${pool}`)) {
        // Gone if the pool is exported meanwhile.
        const bytes = files.readIfThere(`${root}/${pool}/${file}`)
        if (bytes === undefined) continue
        if (file === 'state') states.push({ pool, state: bytes.toString('utf8').trim().toLowerCase() })
        else if (file === 'io') {
          scanner.load(bytes)
          ioRows.push({ labels, values: readIo(`${root}/${pool}/io`) })
        } else if (file.startsWith('objset-')) {
          scanner.load(bytes)
          const { values, datasetName } = readKstat(`${root}/${pool}/${file}`)
          datasetRows.push({ labels: ['dataset', datasetName, ...labels], values })
        }
      }
    }
    writeRows(writer, 'zpool', 'io', ioRows)
    writeRows(writer, 'zpool_dataset', 'objset', datasetRows)
    writer.family('node_zfs_zpool_state', 'Whether the pool is in the state.', 'gauge')
    for (const name of poolStates)
      for (const { pool, state } of states) writer.sample(state === name ? 1 : 0, ['state', name, 'zpool', pool])
  }

  /** A heading that starts with `nread`, behind it a line of numbers. */
  function readIo(path: string): ReadonlyMap<string, number> {
    const fields: string[] = []
    const values = new Map<string, number>()
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      if (fields.length === 0) {
        if (!scanner.fieldIs('nread')) continue
        do fields.push(scanner.text())
        while (scanner.nextField())
        continue
      }
      for (const field of fields) {
        const value = scanner.unsigned()
        if (Number.isNaN(value)) throw new Error(`cannot read ${path}: want a number for ${field}, got ${JSON.stringify(scanner.text())}`)
        values.set(field, value)
        scanner.nextField()
      }
    }
    return values
  }

  return { name: 'zfs', defaultOn: true, collect }
}

function writeRows(writer: MetricWriter, word: string, source: string, rows: Row[]): void {
  rows.sort((a, b) => compareLabels(a.labels, b.labels))
  const fields = new Set<string>()
  for (const { values } of rows) for (const field of values.keys()) fields.add(field)
  for (const field of fields) {
    writer.family(`node_zfs_${word}_${nameField(field)}`, `kstat.zfs.misc.${source}.${field}`, 'untyped')
    for (const { labels, values } of rows) {
      const value = values.get(field)
      if (value !== undefined) writer.sample(value, labels)
    }
  }
}

function nameField(field: string): string {
  return field.replaceAll('-', '_')
}
