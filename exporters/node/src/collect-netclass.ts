import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { NamePattern } from '@narthex/exporter-kit/name-filter'
import { readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'

export const netclassFlags: readonly FlagSpec[] = [
  {
    name: 'collector.netclass.ignored-devices',
    type: 'string',
    default: '^$',
    help: 'Regexp of net devices to ignore for netclass collector.',
  },
  {
    name: 'collector.netclass.ignore-invalid-speed',
    type: 'boolean',
    default: false,
    help: 'Ignore devices where the speed is invalid.',
  },
  {
    name: 'collector.netclass.netlink',
    type: 'boolean',
    default: false,
    help: 'Accepted; the same values are read from /sys.',
    withoutEffect: 'the values are read from /sys/class/net, which has them all',
  },
  {
    name: 'collector.netclass_rtnl.with-stats',
    type: 'boolean',
    hidden: true,
    help: 'Accepted; goes with netclass.netlink.',
    withoutEffect: 'device statistics are the netdev collector',
  },
]

// Files in /sys/class/net/DEVICE (Documentation/ABI/testing/sysfs-class-net) and the family that each becomes.
const attributes: readonly (readonly [file: string, name: string, help: string])[] = [
  ['addr_assign_type', 'node_network_address_assign_type', 'How the address was assigned: 0 permanent, 1 random, 2 stolen, 3 set.'],
  ['carrier', 'node_network_carrier', 'Whether the link is up.'],
  ['carrier_changes', 'node_network_carrier_changes_total', 'Times that the link went up or down.'],
  ['carrier_down_count', 'node_network_carrier_down_changes_total', 'Times that the link went down.'],
  ['carrier_up_count', 'node_network_carrier_up_changes_total', 'Times that the link went up.'],
  ['dev_id', 'node_network_device_id', 'Number that tells devices on one link-layer address apart.'],
  ['dormant', 'node_network_dormant', 'Whether the device waits for something else before it can be used.'],
  ['flags', 'node_network_flags', 'Flags of the device as a bit field (IFF_*).'],
  ['ifindex', 'node_network_iface_id', 'Index of the device.'],
  ['iflink', 'node_network_iface_link', 'Index of the device that this one stands on.'],
  ['link_mode', 'node_network_iface_link_mode', 'Link mode: 0 default, 1 dormant.'],
  ['mtu', 'node_network_mtu_bytes', 'Largest packet in bytes.'],
  [
    'name_assign_type',
    'node_network_name_assign_type',
    'How the name was assigned: 1 by the kernel, 2 predictable, 3 by the user, 4 renamed.',
  ],
  ['netdev_group', 'node_network_net_dev_group', 'Group of the device.'],
  ['type', 'node_network_protocol_type', 'Link-layer protocol (ARPHRD_*).'],
  ['speed', 'node_network_speed_bytes', 'Link speed in bytes per second.'],
  ['tx_queue_len', 'node_network_transmit_queue_length', 'Packets that the send queue may hold.'],
]
const flagsIndex = attributes.findIndex(([file]) => file === 'flags')
const speedIndex = attributes.findIndex(([file]) => file === 'speed')
const carrierIndex = attributes.findIndex(([file]) => file === 'carrier')
// Of <linux/if.h>: IFF_UP, IFF_LOOPBACK.
const upFlag = 1
const loopbackFlag = 8
const bytesPerMegabit = 125_000

interface Device {
  readonly name: string
  readonly labels: readonly string[]
  /** Paths of `attributes`, then of the texts. */
  readonly paths: readonly string[]
  readonly values: Float64Array
  readonly texts: string[]
}

const textFiles = ['address', 'broadcast', 'duplex', 'ifalias', 'operstate']
const [addressText, broadcastText, duplexText, aliasText, stateText] = [0, 1, 2, 3, 4] as const

export function createNetclassCollector(environment: NodeEnvironment): Collector {
  const { attributes: reader, flags } = environment
  const root = environment.sysPath('class/net')
  const ignored = new NamePattern(flags.string('collector.netclass.ignored-devices'))
  const ignoresInvalidSpeed = flags.boolean('collector.netclass.ignore-invalid-speed')
  let known = new Map<string, Device>()

  function collect({ writer }: CollectContext): void {
    const devices = readDevices()
    writer.family('node_network_info', 'What /sys knows about the network device, as labels.', 'gauge')
    for (const device of devices) writer.sample(1, infoLabels(device))
    writer.family('node_network_up', 'Whether the operational state is up.', 'gauge')
    for (const { labels, texts } of devices) writer.sample(texts[stateText] === 'up' ? 1 : 0, labels)
    for (let index = 0; index < attributes.length; index++) {
      const [, name, help] = attributes[index]!
      writer.family(name, help, name.endsWith('_total') ? 'counter' : 'gauge')
      for (const { labels, values } of devices) if (!Number.isNaN(values[index]!)) writer.sample(values[index]!, labels)
    }
  }

  function readDevices(): Device[] {
    const devices: Device[] = []
    for (const name of listDevices(root)) {
      if (ignored.test(name)) continue
      const device = known.get(name) ?? createDevice(root, name)
      readDevice(device)
      devices.push(device)
    }
    known = new Map(devices.map((device) => [device.name, device]))
    return devices
  }

  // The kernel refuses some files of a device that is down, and of the loopback device; an error costs several
  // times what a value does.
  function readDevice({ paths, texts, values }: Device): void {
    values[flagsIndex] = reader.integer(paths[flagsIndex]!)
    const isDown = (values[flagsIndex] & upFlag) === 0 && !Number.isNaN(values[flagsIndex])
    const hasNoLink = isDown || (values[flagsIndex] & loopbackFlag) !== 0
    for (let index = 0; index < attributes.length; index++) {
      if (index === flagsIndex) continue
      const isRefused = (isDown && index === carrierIndex) || (hasNoLink && index === speedIndex)
      values[index] = isRefused ? NaN : reader.integer(paths[index]!)
    }
    const speed = values[speedIndex]!
    values[speedIndex] = speed < 0 && ignoresInvalidSpeed ? NaN : Math.trunc(speed * bytesPerMegabit)
    for (let index = 0; index < textFiles.length; index++) {
      texts[index] = hasNoLink && index === duplexText ? '' : (reader.text(paths[attributes.length + index]!) ?? '')
    }
  }

  return { name: 'netclass', defaultOn: true, collect }
}

/** Sorted; a plain file beside the devices (bonding_masters) is none. */
function listDevices(root: string): string[] {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => !entry.isFile())
      .map(({ name }) => name)
      .sort()
  } catch (error) {
    const code = systemErrorCode(error)
    if (code !== 'ENOENT' && code !== 'EACCES') throw error
    throw new NoDataError('no network devices to be seen', { cause: error })
  }
}

function createDevice(root: string, name: string): Device {
  const files = [...attributes.map(([file]) => file), ...textFiles]
  return {
    name,
    labels: ['device', name],
    paths: files.map((file) => `${root}/${name}/${file}`),
    values: new Float64Array(attributes.length),
    texts: textFiles.map(() => ''),
  }
}

function infoLabels({ name, texts, values }: Device): string[] {
  const flags = values[flagsIndex]!
  const adminState = Number.isNaN(flags) ? 'unknown' : (flags & upFlag) === 0 ? 'down' : 'up'
  return [
    ...['address', texts[addressText]!, 'adminstate', adminState, 'broadcast', texts[broadcastText]!, 'device', name],
    ...['duplex', texts[duplexText]!, 'ifalias', texts[aliasText]!, 'operstate', texts[stateText]!],
  ]
}
