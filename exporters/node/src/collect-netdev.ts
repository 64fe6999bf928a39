import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { NameFilter } from '@narthex/exporter-kit/name-filter'
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os'
import type { NodeEnvironment } from './environment.ts'
import { createNameFilter } from './name-filter-flags.ts'

export const netdevFlags: readonly FlagSpec[] = [
  {
    name: 'collector.netdev.device-include',
    type: 'string',
    help: 'Regexp of net devices to include (mutually exclusive to device-exclude).',
  },
  {
    name: 'collector.netdev.device-exclude',
    type: 'string',
    help: 'Regexp of net devices to exclude (mutually exclusive to device-include).',
  },
  { name: 'collector.netdev.device-whitelist', type: 'string', hidden: true, help: 'Old name of device-include.' },
  { name: 'collector.netdev.device-blacklist', type: 'string', hidden: true, help: 'Old name of device-exclude.' },
  { name: 'collector.netdev.address-info', type: 'boolean', default: false, help: 'Collect address-info for every device.' },
  {
    name: 'collector.netdev.enable-detailed-metrics',
    type: 'boolean',
    default: false,
    help: "Use the kernel's own, more detailed names in place of the usual ones.",
  },
  { name: 'collector.netdev.label-ifalias', type: 'boolean', default: false, help: 'Add the interface alias as a label.' },
  {
    name: 'collector.netdev.netlink',
    type: 'boolean',
    default: true,
    help: 'Also expose receive_nohandler, which /proc/net/dev lacks (read from /sys instead of netlink).',
  },
]

// Columns of /proc/net/dev, which folds the kernel's counters: drop = dropped + missed; frame = frame + length + over + crc;
// carrier = carrier + aborted + heartbeat + window.
const columns = [
  ...['bytes', 'packets', 'errs', 'drop', 'fifo', 'frame', 'compressed', 'multicast'].map((name) => `receive_${name}`),
  ...['bytes', 'packets', 'errs', 'drop', 'fifo', 'colls', 'carrier', 'compressed'].map((name) => `transmit_${name}`),
]
const columnCount = columns.length

const directionErrors = ['packets', 'bytes', 'errors', 'dropped', 'compressed', 'fifo_errors']
/** Files in /sys/class/net/DEVICE/statistics with the metric each becomes under --collector.netdev.enable-detailed-metrics. */
const detailedFiles: readonly (readonly [file: string, metric: string])[] = [
  ['collisions', 'collisions'],
  ['multicast', 'multicast'],
  ...[...directionErrors, 'crc_errors', 'frame_errors', 'length_errors', 'missed_errors', 'nohandler', 'over_errors'].map(
    (name) => [`rx_${name}`, `receive_${name}`] as const,
  ),
  ...[...directionErrors, 'aborted_errors', 'carrier_errors', 'heartbeat_errors', 'window_errors'].map(
    (name) => [`tx_${name}`, `transmit_${name}`] as const,
  ),
]

interface Device {
  readonly name: string
  readonly values: Float64Array
}

export function createNetdevCollector(environment: NodeEnvironment): Collector {
  const { flags } = environment
  const filter = createDeviceFilter(flags)
  const isDetailed = flags.boolean('collector.netdev.enable-detailed-metrics')
  const hasNohandler = flags.boolean('collector.netdev.netlink')
  const hasAlias = flags.boolean('collector.netdev.label-ifalias')
  const hasAddresses = flags.boolean('collector.netdev.address-info')
  const table = new DeviceTable(environment, filter)

  function collect({ writer }: CollectContext): void {
    const devices = table.read()
    const labels = devices.map(({ name }) => (hasAlias ? ['device', name, 'ifalias', readAlias(environment, name)] : ['device', name]))
    if (isDetailed) {
      for (const [file, metric] of detailedFiles) writeStatistic(environment, writer, file, metric, devices, labels)
    } else {
      for (let column = 0; column < columnCount; column++) {
        startFamily(writer, columns[column]!)
        for (let index = 0; index < devices.length; index++) writer.sample(devices[index]!.values[column]!, labels[index])
      }
      if (hasNohandler) writeStatistic(environment, writer, 'rx_nohandler', 'receive_nohandler', devices, labels)
    }
    if (hasAddresses) writeAddresses(writer, networkInterfaces())
  }

  return { name: 'netdev', defaultOn: true, collect }
}

export function createDeviceFilter(flags: FlagReader): NameFilter {
  return createNameFilter(flags, {
    exclude: 'collector.netdev.device-exclude',
    include: 'collector.netdev.device-include',
    oldExclude: 'collector.netdev.device-blacklist',
    oldInclude: 'collector.netdev.device-whitelist',
  })
}

/** The rows of /proc/net/dev that the filter lets through, sorted by device; row objects are reused. */
class DeviceTable {
  readonly #environment: NodeEnvironment
  readonly #path: string
  readonly #filter: NameFilter
  #known = new Map<string, Device>()

  constructor(environment: NodeEnvironment, filter: NameFilter) {
    this.#environment = environment
    this.#path = environment.procPath('net/dev')
    this.#filter = filter
  }

  read(): Device[] {
    const { files, scanner } = this.#environment
    scanner.load(files.read(this.#path))
    const devices: Device[] = []
    while (scanner.nextLine()) {
      // Names may hold a colon (old alias interfaces), so the last one parts name and numbers. The two header lines have none.
      const colon = scanner.bytes.subarray(scanner.lineStart, scanner.lineEnd).lastIndexOf(58)
      if (colon < 0) continue
      const name = scanner.text(scanner.lineStart, scanner.lineStart + colon).trim()
      if (this.#filter.isIgnored(name)) continue
      scanner.moveTo(scanner.lineStart + colon + 1)
      const device = this.#known.get(name) ?? { name, values: new Float64Array(columnCount) }
      for (let column = 0; column < columnCount; column++) device.values[column] = scanner.nextUnsigned()
      if (device.values.some((value) => Number.isNaN(value))) {
        throw new Error(`cannot read ${this.#path}: want ${columnCount} numbers for ${name}, got others`)
      }
      devices.push(device)
    }
    this.#known = new Map(devices.map((device) => [device.name, device]))
    return devices.sort((a, b) => (a.name < b.name ? -1 : 1))
  }
}

export function startFamily(writer: MetricWriter, name: string): void {
  writer.family(`node_network_${name}_total`, `Network device statistic ${name}.`, 'counter')
}

function writeStatistic(
  environment: NodeEnvironment,
  writer: MetricWriter,
  file: string,
  metric: string,
  devices: readonly Device[],
  labels: readonly (readonly string[])[],
): void {
  startFamily(writer, metric)
  for (let index = 0; index < devices.length; index++) {
    // Gone if the device went since its row was read.
    const bytes = environment.files.readIfThere(environment.sysPath(`class/net/${devices[index]!.name}/statistics/${file}`))
    if (bytes === undefined) continue
    environment.scanner.load(bytes)
    environment.scanner.nextLine()
    const value = environment.scanner.nextUnsigned()
    if (!Number.isNaN(value)) writer.sample(value, labels[index])
  }
}

function readAlias(environment: NodeEnvironment, device: string): string {
  return environment.files.readTextIfThere(environment.sysPath(`class/net/${device}/ifalias`)) ?? ''
}

export function writeAddresses(writer: MetricWriter, interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>): void {
  writer.family('node_network_address_info', 'Addresses of the network devices, as labels.', 'gauge')
  const rows: string[][] = []
  for (const [device, addresses] of Object.entries(interfaces)) {
    for (const { address, cidr } of addresses ?? []) {
      rows.push(['address', address, 'device', device, 'netmask', cidr?.split('/')[1] ?? '', 'scope', scopeOf(address)])
    }
  }
  for (const labels of rows.sort((a, b) => (a[1]! < b[1]! ? -1 : 1))) writer.sample(1, labels)
}

/** The original's words: loopback counts as link-local. */
function scopeOf(address: string): string {
  if (/^127\.|^::1$|^169\.254\.|^fe[89ab][0-9a-f]:/i.test(address)) return 'link-local'
  return address === '0.0.0.0' || address === '::' ? '' : 'global'
}
