import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { NameFilter } from '@narthex/exporter-kit/name-filter'
import { parseGoFloat } from '@narthex/model/number'
import type { NodeEnvironment } from './environment.ts'
import { createNameFilter } from './name-filter-flags.ts'
import { parseUdevProperties } from './udev-data.ts'

export const createDiskstatsFlags = (platform: NodeJS.Platform): readonly FlagSpec[] => [
  {
    name: 'collector.diskstats.device-exclude',
    type: 'string',
    default: platform === 'linux' ? '^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$' : '',
    help: 'Regexp of diskstats devices to exclude (mutually exclusive to device-include).',
  },
  {
    name: 'collector.diskstats.device-include',
    type: 'string',
    help: 'Regexp of diskstats devices to include (mutually exclusive to device-exclude).',
  },
  { name: 'collector.diskstats.ignored-devices', type: 'string', hidden: true, help: 'Old name of device-exclude.' },
]

interface Column {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly factor: number
}

const sectorBytes = 512
const counter = (name: string, help: string, factor = 1): Column => ({ name, help, type: 'counter', factor })

// The columns of /proc/diskstats behind the device name (Documentation/admin-guide/iostats.rst): 11 at first, 15 since Linux 4.18,
// 17 since 5.5.
const columns: readonly Column[] = [
  counter('reads_completed_total', 'Reads completed.'),
  counter('reads_merged_total', 'Reads merged.'),
  counter('read_bytes_total', 'Bytes read.', sectorBytes),
  counter('read_time_seconds_total', 'Seconds spent by all reads.', 0.001),
  counter('writes_completed_total', 'Writes completed.'),
  counter('writes_merged_total', 'Writes merged.'),
  counter('written_bytes_total', 'Bytes written.', sectorBytes),
  counter('write_time_seconds_total', 'Seconds spent by all writes.', 0.001),
  { name: 'io_now', help: 'I/Os in progress.', type: 'gauge', factor: 1 },
  counter('io_time_seconds_total', 'Seconds spent doing I/O.', 0.001),
  counter('io_time_weighted_seconds_total', 'Seconds spent doing I/O, weighted by the I/Os in progress.', 0.001),
  counter('discards_completed_total', 'Discards completed.'),
  counter('discards_merged_total', 'Discards merged.'),
  counter('discarded_sectors_total', 'Sectors discarded.'),
  counter('discard_time_seconds_total', 'Seconds spent by all discards.', 0.001),
  counter('flush_requests_total', 'Flush requests completed.'),
  counter('flush_requests_time_seconds_total', 'Seconds spent by all flush requests.', 0.001),
]

interface Disk {
  readonly name: string
  readonly major: string
  readonly minor: string
  readonly labels: readonly string[]
  readonly values: Float64Array
  valueCount: number
}

export function createDiskstatsCollector(environment: NodeEnvironment): Collector {
  const filter = createDiskFilter(environment.flags)
  const table = new DiskTable(environment, filter)

  function collect({ writer }: CollectContext): void {
    const disks = table.read()
    for (let index = 0; index < columns.length; index++) {
      const { name, help, type, factor } = columns[index]!
      writer.family(`node_disk_${name}`, help, type)
      for (const disk of disks) if (index < disk.valueCount) writer.sample(disk.values[index]! * factor, disk.labels)
    }
    writeInfo(environment, writer, disks)
  }

  return { name: 'diskstats', defaultOn: true, collect }
}

export function createDiskFilter(flags: FlagReader): NameFilter {
  return createNameFilter(flags, {
    exclude: 'collector.diskstats.device-exclude',
    include: 'collector.diskstats.device-include',
    oldExclude: 'collector.diskstats.ignored-devices',
  })
}

/** The rows of /proc/diskstats that the filter lets through, sorted by device; row objects are reused. */
class DiskTable {
  readonly #environment: NodeEnvironment
  readonly #path: string
  readonly #filter: NameFilter
  #known = new Map<string, Disk>()

  constructor(environment: NodeEnvironment, filter: NameFilter) {
    this.#environment = environment
    this.#path = environment.procPath('diskstats')
    this.#filter = filter
  }

  read(): Disk[] {
    const { files, scanner } = this.#environment
    scanner.load(files.read(this.#path))
    const disks: Disk[] = []
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      const major = scanner.text()
      scanner.nextField()
      const minor = scanner.text()
      scanner.nextField()
      const name = scanner.text()
      if (this.#filter.isIgnored(name)) continue
      const known = this.#known.get(name)
      const disk = known?.major === major && known.minor === minor ? known : createDisk(name, major, minor)
      disk.valueCount = 0
      while (disk.valueCount < columns.length && scanner.nextField()) disk.values[disk.valueCount++] = scanner.unsigned()
      disks.push(disk)
    }
    this.#known = new Map(disks.map((disk) => [disk.name, disk]))
    return disks.sort((a, b) => (a.name < b.name ? -1 : 1))
  }
}

function createDisk(name: string, major: string, minor: string): Disk {
  return { name, major, minor, labels: ['device', name], values: new Float64Array(columns.length), valueCount: 0 }
}

// Each family of its own, so that a device with many properties does not part the families of the next one.
function writeInfo(environment: NodeEnvironment, writer: MetricWriter, disks: readonly Disk[]): void {
  const properties = disks.map((disk) => {
    const bytes = environment.files.readIfThere(environment.udevDataPath(`b${disk.major}:${disk.minor}`))
    return parseUdevProperties(bytes?.toString('utf8') ?? '')
  })
  writer.family('node_disk_info', 'What udev and the kernel know about the disk, as labels.', 'gauge')
  disks.forEach((disk, index) => writer.sample(1, infoLabels(environment, disk, properties[index]!)))

  writer.family('node_disk_device_mapper_info', 'What udev knows about the device-mapper device, as labels.', 'gauge')
  disks.forEach(({ name }, index) => {
    const get = (key: string): string => properties[index]!.get(`DM_${key}`) ?? ''
    if (get('NAME') === '') return
    const labels = ['device', name, 'lv_layer', get('LV_LAYER'), 'lv_name', get('LV_NAME')]
    writer.sample(1, [...labels, 'name', get('NAME'), 'uuid', get('UUID'), 'vg_name', get('VG_NAME')])
  })

  writer.family('node_disk_filesystem_info', 'What udev knows about the file system on the disk, as labels.', 'gauge')
  disks.forEach(({ name }, index) => {
    const get = (key: string): string => properties[index]!.get(`ID_FS_${key}`) ?? ''
    if (get('TYPE') === '') return
    writer.sample(1, ['device', name, 'type', get('TYPE'), 'usage', get('USAGE'), 'uuid', get('UUID'), 'version', get('VERSION')])
  })

  for (const [key, metric, help] of ataProperties) {
    writer.family(metric, help, 'gauge')
    disks.forEach(({ labels }, index) => {
      if ((properties[index]!.get('ID_ATA') ?? '') === '') return
      const value = parseGoFloat(properties[index]!.get(key) ?? '')
      if (value !== undefined) writer.sample(value, labels)
    })
  }
}

const ataProperties: readonly (readonly [key: string, metric: string, help: string])[] = [
  ['ID_ATA_WRITE_CACHE', 'node_disk_ata_write_cache', 'Whether the ATA disk has a write cache.'],
  ['ID_ATA_WRITE_CACHE_ENABLED', 'node_disk_ata_write_cache_enabled', 'Whether the write cache of the ATA disk is on.'],
  ['ID_ATA_ROTATION_RATE_RPM', 'node_disk_ata_rotation_rate_rpm', 'Rotations of the ATA disk per minute; 0 for an SSD.'],
]

function infoLabels(environment: NodeEnvironment, disk: Disk, properties: ReadonlyMap<string, string>): string[] {
  const get = (key: string): string => properties.get(key) ?? ''
  // The first is usually what is printed on the disk itself; virtio disks and memory cards have the last one alone.
  const serial = get('SCSI_IDENT_SERIAL') || get('ID_SERIAL_SHORT') || get('ID_SERIAL')
  // Partitions have no queue of their own.
  const rotational = environment.files.readTextIfThere(environment.sysPath(`block/${disk.name}/queue/rotational`)) ?? '0'
  const labels = ['device', disk.name, 'major', disk.major, 'minor', disk.minor, 'model', get('ID_MODEL'), 'path', get('ID_PATH')]
  return [...labels, 'revision', get('ID_REVISION'), 'rotational', rotational, 'serial', serial, 'wwn', get('ID_WWN')]
}
