import { NoDataError, type CollectContext, type Collector, type MetricWriter } from '@narthex/exporter-kit/collector'
import { existsSync } from 'node:fs'
import { listSorted } from './attribute-reader.ts'
import { compareLabels } from './compare-labels.ts'
import type { NodeEnvironment } from './environment.ts'
import { parseBcachefsNumber } from './human-number.ts'
import { listDirectories } from './list-directories.ts'

type Samples = [value: number, labels: readonly string[]][]

/** Samples of all file systems by family, since each file gives several families. */
class Families {
  readonly #families = new Map<string, { readonly help: string; readonly samples: Samples }>()

  add(name: string, help: string, value: number, labels: readonly string[]): void {
    if (Number.isNaN(value)) return
    const family = this.#families.get(name) ?? { help, samples: [] }
    this.#families.set(name, family)
    family.samples.push([value, labels])
  }

  write(writer: MetricWriter): void {
    for (const [name, { help, samples }] of [...this.#families].sort(([a], [b]) => (a < b ? -1 : 1))) {
      writer.family(`node_bcachefs_${name}`, help, name.endsWith('_total') ? 'counter' : 'gauge')
      for (const [value, labels] of samples.sort(([, a], [, b]) => compareLabels(a, b))) writer.sample(value, labels)
    }
  }
}

/** Statistics of bcachefs in /sys/fs/bcachefs/UUID (fs/bcachefs/sysfs.c); what an older version lacks is left out. */
export function createBcachefsCollector(environment: NodeEnvironment): Collector {
  const { attributes, files } = environment
  const root = environment.sysPath('fs/bcachefs')

  function collect({ writer }: CollectContext): void {
    if (!existsSync(root)) throw new NoDataError('bcachefs is not loaded')
    const families = new Families()
    for (const uuid of listDirectories(root)) {
      families.add('info', 'The file system is mounted.', 1, ['uuid', uuid])
      const cacheText = attributes.text(`${root}/${uuid}/btree_cache_size`)
      families.add('btree_cache_size_bytes', 'Memory of the tree cache.', cacheText === undefined ? 0 : parseBcachefsNumber(cacheText), [
        'uuid',
        uuid,
      ])
      addTables(families, uuid)
      addCounters(families, uuid)
      for (const name of listDirectories(`${root}/${uuid}`)) if (name.startsWith('dev-')) addDevice(families, uuid, name)
    }
    families.write(writer)
  }

  // Tables with a heading, but for `errors`, which has none.
  function addTables(families: Families, uuid: string): void {
    for (const [algorithm = '', compressed = '', uncompressed = ''] of readRows(`${uuid}/compression_stats`, 1)) {
      const labels = ['algorithm', algorithm.replace(/:$/, ''), 'uuid', uuid]
      families.add('compression_compressed_bytes', 'Bytes on disk by algorithm.', parseBcachefsNumber(compressed), labels)
      families.add('compression_uncompressed_bytes', 'Bytes of the data by algorithm.', parseBcachefsNumber(uncompressed), labels)
    }
    for (const [type = '', count = '', size = ''] of readRows(`${uuid}/btree_write_stats`, 1)) {
      const labels = ['type', type.replace(/:$/, ''), 'uuid', uuid]
      families.add('btree_writes_total', 'Writes of the tree by type.', parseBcachefsNumber(count), labels)
      families.add('btree_write_average_size_bytes', 'Average size of a write of the tree.', parseBcachefsNumber(size), labels)
    }
    for (const [type = '', count = ''] of readRows(`${uuid}/errors`, 0)) {
      families.add('errors_total', 'Errors by type.', parseBcachefsNumber(count), ['error_type', type, 'uuid', uuid])
    }
  }

  function addCounters(families: Families, uuid: string): void {
    for (const name of listSorted(`${root}/${uuid}/counters`)) {
      const text = files.readTextIfThere(`${root}/${uuid}/counters/${name}`) ?? ''
      const value = /^since filesystem creation:(.*)$/m.exec(text)?.[1]
      if (value === undefined) continue
      families.add(
        `${name.replace(/[^a-zA-Z0-9_]/g, '_')}_total`,
        `Counter ${name} since the file system was made.`,
        parseBcachefsNumber(value),
        ['uuid', uuid],
      )
    }
  }

  function addDevice(families: Families, uuid: string, name: string): void {
    const directory = `${root}/${uuid}/${name}`
    const device = name.slice('dev-'.length)
    const labels = ['device', device, 'uuid', uuid]
    const text = (file: string): string => attributes.text(`${directory}/${file}`) ?? ''
    families.add('device_info', 'Label and state of the device.', 1, [
      'device',
      device,
      'label',
      text('label'),
      'state',
      text('state'),
      'uuid',
      uuid,
    ])
    families.add('device_bucket_size_bytes', 'Size of a bucket.', parseBcachefsNumber(text('bucket_size') || '0'), labels)
    families.add('device_buckets', 'Buckets of the device.', attributes.integer(`${directory}/nbuckets`) || 0, labels)
    families.add('device_durability', 'Durability of the device.', attributes.integer(`${directory}/durability`) || 0, labels)
    let operation = ''
    for (const line of readLines(`${uuid}/${name}/io_done`)) {
      if (line === 'read:' || line === 'write:') operation = line.slice(0, -1)
      const [type = '', value] = line.split(/\s*:\s*/)
      if (operation === '' || value === undefined || value === '') continue
      const ioLabels = ['data_type', type, 'device', device, 'operation', operation, 'uuid', uuid]
      families.add('device_io_done_bytes_total', 'Bytes read and written by type of data.', parseBcachefsNumber(value), ioLabels)
    }
    for (const [type, value] of parseIoErrors(readLines(`${uuid}/${name}/io_errors`))) {
      families.add('device_io_errors_total', 'Errors of the device by type.', value, ['device', device, 'type', type, 'uuid', uuid])
    }
  }

  function readLines(path: string): string[] {
    return (files.readTextIfThere(`${root}/${path}`) ?? '').split('\n').map((line) => line.trim())
  }

  /** Blank-separated columns of the lines behind the heading; lines with one column are left out. */
  function readRows(path: string, headingLines: number): string[][] {
    return readLines(path)
      .slice(headingLines)
      .map((line) => line.split(/\s+/))
      .filter((columns) => columns.length > 1)
  }

  return { name: 'bcachefs', defaultOn: true, collect }
}

/** Counts of the section since the file system was made; another one counts since the last reset. */
function parseIoErrors(lines: readonly string[]): [type: string, count: number][] {
  const errors: [string, number][] = []
  let isWanted = false
  for (const line of lines) {
    if (line.startsWith('IO errors since ')) isWanted = line.startsWith('IO errors since filesystem creation')
    else if (isWanted) {
      const match = /^(.+?)\s*:\s*([0-9]+)$/.exec(line)
      if (match !== null) errors.push([match[1]!, Number(match[2])])
    }
  }
  return errors
}
