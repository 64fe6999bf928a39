import { NoDataError, type CollectContext, type Collector, type MetricWriter } from '@narthex/exporter-kit/collector'
import { FailureMemory, reasonOf } from '@narthex/exporter-kit/failure-memory'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { NameFilter, NamePattern } from '@narthex/exporter-kit/name-filter'
import { readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'
import { EthtoolDevice, type EthtoolDriver, type EthtoolSettings } from './ethtool-device.ts'
import { aspects, capabilities, linkModes, ports } from './ethtool-link-modes.ts'
import { EthtoolNames } from './ethtool-names.ts'
import { EventLoopTurn } from './event-loop-turn.ts'
import { KernelCalls, type LoadSystemCalls } from './kernel-calls.ts'

export const ethtoolFlags: readonly FlagSpec[] = [
  {
    name: 'collector.ethtool.device-include',
    type: 'string',
    help: 'Regexp of ethtool devices to include (mutually exclusive to device-exclude).',
  },
  {
    name: 'collector.ethtool.device-exclude',
    type: 'string',
    help: 'Regexp of ethtool devices to exclude (mutually exclusive to device-include).',
  },
  { name: 'collector.ethtool.metrics-include', type: 'string', default: '.*', help: 'Regexp of ethtool stats to include.' },
]

const ipv4Domain = 2
/** SOCK_DGRAM and SOCK_CLOEXEC. */
const socketType = 2 | 0x80000

interface Device {
  readonly name: string
  readonly settings: EthtoolSettings | undefined
  readonly driver: EthtoolDriver | undefined
  /** Values by family. */
  readonly statistics: ReadonlyMap<string, number>
}

/** What drivers of network devices tell by ioctl(2): no file has it. */
export function createEthtoolCollector(environment: NodeEnvironment, _?: unknown, load?: LoadSystemCalls): Collector {
  const { flags, log } = environment
  const calls = new KernelCalls('ethtool', log, load)
  const failures = new FailureMemory()
  const filter = new NameFilter(flags.string('collector.ethtool.device-exclude'), flags.string('collector.ethtool.device-include'))
  const names = new EthtoolNames(new NamePattern(flags.string('collector.ethtool.metrics-include')))
  const root = environment.sysPath('class/net')

  async function collect({ writer }: CollectContext): Promise<void> {
    const found = calls.get()
    const descriptor = found.socket(ipv4Domain, socketType, 0)
    if (descriptor < 0) throw new Error(`cannot open socket for ethtool: errno ${found.errno()}`)
    const devices: Device[] = []
    try {
      const turn = new EventLoopTurn()
      for (const name of listDevices()) {
        devices.push(readDevice(new EthtoolDevice(found, descriptor, name), name))
        if (turn.isOver()) await turn.next()
      }
    } finally {
      found.close(descriptor)
    }
    writeDrivers(writer, devices)
    writeLinks(
      writer,
      devices.filter(({ settings }) => settings !== undefined),
    )
    writeStatistics(writer, devices)
  }

  function listDevices(): string[] {
    const entries = readEntries().sort()
    if (entries.length === 0) throw new Error(`cannot list network devices: want some in ${root}, got none`)
    return entries.filter((name) => !filter.isIgnored(name))
  }

  function readEntries(): string[] {
    try {
      // Beside links to devices there may be a file, bonding_masters.
      return readdirSync(root, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [] : entry.name))
    } catch (error) {
      const code = systemErrorCode(error)
      if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EPERM') throw error
      throw new NoDataError('network devices cannot be listed', { cause: error })
    }
  }

  function readDevice(ethtool: EthtoolDevice, name: string): Device {
    const settings = attempt(name, 'settings', () => ethtool.readSettings())
    const driver = attempt(name, 'driver', () => ethtool.readDriver())
    const statistics = driver === undefined ? undefined : attempt(name, 'statistics', () => ethtool.readStatistics(driver.statisticsCount))
    return { name, settings, driver, statistics: names.toFamilies(statistics?.names ?? [], statistics?.values ?? []) }
  }

  /** A driver that fails costs what it was asked for, and a line in the log when that begins. */
  function attempt<T>(device: string, wanted: string, ask: () => T): T | undefined {
    const subject = `${wanted} of ${device}`
    try {
      const answer = ask()
      failures.isOver(subject)
      return answer
    } catch (error) {
      if (failures.isNews(subject, reasonOf(error))) log.error('ethtool error', { device, wanted, err: error })
      return undefined
    }
  }

  return { name: 'ethtool', defaultOn: false, collect }
}

function writeDrivers(writer: MetricWriter, devices: readonly Device[]): void {
  writer.family('node_ethtool_info', 'The driver of the network device, as labels.', 'gauge')
  for (const { name, driver } of devices) {
    if (driver === undefined) continue
    const labels = ['bus_info', driver.bus, 'device', name, 'driver', driver.driver, 'expansion_rom_version', driver.rom]
    writer.sample(1, [...labels, 'firmware_version', driver.firmware, 'version', driver.version])
  }
}

function writeLinks(writer: MetricWriter, devices: readonly Device[]): void {
  for (const [key, verb] of aspects) {
    writer.family(`node_network_${key}_speed_bytes`, `Speeds that the network device ${verb}.`, 'gauge')
    for (const { name, settings } of devices) {
      for (const { bit, bytesPerSecond, duplex, mode } of linkModes) {
        if (hasBit(settings![key], bit)) writer.sample(bytesPerSecond, ['device', name, 'duplex', duplex, 'mode', mode])
      }
    }
    for (const [bit, capability, what] of capabilities) {
      writer.family(`node_network_${capability}_${key}`, `Whether the network device ${verb} ${what}.`, 'gauge')
      for (const { name, settings } of devices) writer.sample(hasBit(settings![key], bit) ? 1 : 0, ['device', name])
    }
  }
  writer.family('node_network_supported_port_info', 'Ports of the network device.', 'gauge')
  for (const { name, settings } of devices) {
    for (const [bit, type] of ports) if (hasBit(settings!.supported, bit)) writer.sample(1, ['device', name, 'type', type])
  }
  writer.family('node_network_autonegotiate', 'Whether the network device uses autonegotiation.', 'gauge')
  for (const { name, settings } of devices) writer.sample(settings!.autonegotiation, ['device', name])
}

function writeStatistics(writer: MetricWriter, devices: readonly Device[]): void {
  for (const family of new Set(devices.flatMap(({ statistics }) => [...statistics.keys()]))) {
    writer.family(family, 'Statistic of the network device, as its driver names it.', 'untyped')
    for (const { name, statistics } of devices) {
      const value = statistics.get(family)
      if (value !== undefined) writer.sample(value, ['device', name])
    }
  }
}

function hasBit(bits: number, bit: number): boolean {
  return ((bits >>> bit) & 1) === 1
}
