import { NoDataError, type CollectContext, type Collector, type MetricWriter } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { NodeEnvironment } from './environment.ts'
import { EventLoopTurn } from './event-loop-turn.ts'
import { parseInteger } from './number-file.ts'
import { parsePciIdentity, parsePciLocation, type PciIdentity } from './pci-identity.ts'
import { PciNames } from './pci-names.ts'

export const pcideviceFlags: readonly FlagSpec[] = [
  { name: 'collector.pcidevice.idsfile', type: 'string', help: 'Path to pci.ids file to use for PCI device identification.' },
  {
    name: 'collector.pcidevice.names',
    type: 'boolean',
    default: false,
    help: 'Enable PCI device name resolution (requires pci.ids file).',
  },
]

interface Attribute {
  readonly file: string
  readonly metric: string
  readonly help: string
  /** Shown for a device without the file; absent: not shown. */
  readonly absent: number | undefined
  readonly parse: (text: string) => number | undefined
}

const linkSpeed = (text: string): number | undefined => {
  const match = /^([0-9.]+) GT\/s(?: PCIe)?$/.exec(text)
  return match === null ? undefined : Number(match[1]) * 1e9
}
const flag = (text: string): number | undefined => {
  const value = parseInteger(text)
  return value === undefined ? undefined : Number(value !== 0)
}

const attributes: readonly Attribute[] = [
  attribute('current_link_speed', 'current_link_transfers_per_second', 'Transfers per second of the link now.', -1, linkSpeed),
  attribute('current_link_width', 'current_link_width', 'Lanes of the link now.', -1, parseInteger),
  attribute('d3cold_allowed', 'd3cold_allowed', 'Whether the device may be cut from power.', 0, flag),
  attribute('max_link_speed', 'max_link_transfers_per_second', 'Most transfers per second of the link.', -1, linkSpeed),
  attribute('max_link_width', 'max_link_width', 'Most lanes of the link.', -1, parseInteger),
  attribute('numa_node', 'numa_node', 'NUMA node of the device.', undefined, (text) => {
    const value = parseInteger(text)
    return value === -1 ? undefined : value
  }),
  attribute('sriov_drivers_autoprobe', 'sriov_drivers_autoprobe', 'Whether drivers are bound to virtual functions.', 0, flag),
  attribute('sriov_numvfs', 'sriov_numvfs', 'Virtual functions in use.', 0, parseInteger),
  attribute('sriov_totalvfs', 'sriov_totalvfs', 'Virtual functions that the device can have.', 0, parseInteger),
  attribute('sriov_vf_total_msix', 'sriov_vf_total_msix', 'MSI-X vectors for virtual functions.', 0, parseInteger),
]

function attribute(file: string, metric: string, help: string, absent: number | undefined, parse: Attribute['parse']): Attribute {
  return { file, metric: `node_pcidevice_${metric}`, help, absent, parse }
}

const powerStates = ['D0', 'D1', 'D2', 'D3cold', 'D3hot', 'error', 'unknown']

interface Device {
  /** Of its directory: another one means that the slot holds another card. */
  readonly inode: number
  readonly labels: readonly string[]
  readonly identity: PciIdentity
  readonly infoLabels: readonly string[]
  readonly values: Float64Array
  powerState: string | undefined
}

export function createPcideviceCollector(environment: NodeEnvironment): Collector {
  const { files, flags } = environment
  const root = environment.sysPath('bus/pci/devices')
  const names = flags.boolean('collector.pcidevice.names')
    ? new PciNames(flags.string('collector.pcidevice.idsfile'), environment.log)
    : undefined
  let known = new Map<string, Device>()

  async function collect({ writer }: CollectContext): Promise<void> {
    const devices = new Map<string, Device>()
    const turn = new EventLoopTurn()
    for (const entry of listDevices()) {
      const device = findDevice(entry)
      readState(entry, device)
      devices.set(entry, device)
      if (turn.isOver()) await turn.next()
    }
    known = devices
    writeDevices(writer, [...devices.values()])
  }

  function listDevices(): string[] {
    try {
      return readdirSync(root).sort()
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error
      throw new NoDataError('no PCI devices on this system', { cause: error })
    }
  }

  // What a device is does not change while it is plugged in: six files less for each scrape.
  function findDevice(entry: string): Device {
    const inode = statSync(`${root}/${entry}`).ino
    const former = known.get(entry)
    if (former?.inode === inode) return former
    const target = readlinkSync(`${root}/${entry}`)
    const location = parsePciLocation(basename(target))
    const parent = basename(dirname(target))
    const identity = parsePciIdentity((file) => files.read(`${root}/${entry}/${file}`).toString('latin1').trim())
    const info = [...location, ...(parent.startsWith('pci') ? unknownParent : prefixLabels(parsePciLocation(parent))), ...identity.labels]
    const infoLabels = sortLabels(names === undefined ? info : [...info, ...names.find(identity)])
    return { inode, labels: sortLabels(location), identity, infoLabels, values: new Float64Array(attributes.length), powerState: undefined }
  }

  function readState(entry: string, device: Device): void {
    attributes.forEach(({ file, absent, parse }, index) => {
      const text = files.readTextIfThere(`${root}/${entry}/${file}`)
      device.values[index] = (text === undefined ? undefined : parse(text)) ?? absent ?? NaN
    })
    const state = files.readTextIfThere(`${root}/${entry}/power_state`)
    device.powerState = state === '' ? undefined : state
  }

  return { name: 'pcidevice', defaultOn: false, collect }
}

function writeDevices(writer: MetricWriter, devices: readonly Device[]): void {
  writer.family('node_pcidevice_info', 'The PCI device, as labels.', 'gauge')
  for (const { infoLabels } of devices) writer.sample(1, infoLabels)
  attributes.forEach(({ metric, help }, index) => {
    writer.family(metric, help, 'gauge')
    for (const { labels, values } of devices) if (!Number.isNaN(values[index]!)) writer.sample(values[index]!, labels)
  })
  writer.family('node_pcidevice_power_state', 'Power state of the device: 1 for the one it is in.', 'gauge')
  for (const { labels, powerState } of devices) {
    if (powerState === undefined) continue
    for (const state of powerStates) writer.sample(state === powerState ? 1 : 0, [...labels, 'state', state])
  }
}

const unknownParent = ['parent_segment', '*', 'parent_bus', '*', 'parent_device', '*', 'parent_function', '*']

function prefixLabels(labels: readonly string[]): string[] {
  return labels.map((text, index) => (index % 2 === 0 ? `parent_${text}` : text))
}

function sortLabels(labels: readonly string[]): string[] {
  const pairs = Array.from({ length: labels.length / 2 }, (_, index) => [labels[2 * index]!, labels[2 * index + 1]!] as const)
  return pairs.sort(([a], [b]) => (a < b ? -1 : 1)).flat()
}
