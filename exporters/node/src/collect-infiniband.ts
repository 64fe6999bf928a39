import { NoDataError, type CollectContext, type Collector, type MetricWriter } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { NameFilter } from '@narthex/exporter-kit/name-filter'
import { readdirSync } from 'node:fs'
import { listSorted } from './attribute-reader.ts'
import type { NodeEnvironment } from './environment.ts'
import { HardwareReader, integerOf } from './hardware-reader.ts'
import { portCounters } from './infiniband-counters.ts'

export const infinibandFlags: readonly FlagSpec[] = [
  {
    name: 'collector.infiniband.device-include',
    type: 'string',
    help: 'Regexp of infiniband devices to include (mutually exclusive to device-exclude).',
  },
  {
    name: 'collector.infiniband.device-exclude',
    type: 'string',
    help: 'Regexp of infiniband devices to exclude (mutually exclusive to device-include).',
  },
]

/** What a rate of one Gb/sec is in bytes per second. */
const bytesPerGigabit = 125_000_000

interface Port {
  readonly labels: readonly string[]
  /** Of `portCounters`; NaN for one that the device lacks. */
  readonly values: readonly number[]
  readonly stateId: number
  readonly physicalStateId: number
  readonly rateBytes: number
  readonly lifespanSeconds: number
}

export function createInfinibandCollector(environment: NodeEnvironment): Collector {
  const { attributes, flags } = environment
  const root = environment.sysPath('class/infiniband')
  const filter = new NameFilter(flags.string('collector.infiniband.device-exclude'), flags.string('collector.infiniband.device-include'))
  const hardware = new HardwareReader(attributes)

  async function collect({ writer }: CollectContext): Promise<void> {
    const devices = listDevices(root).filter((name) => !filter.isIgnored(name))
    writer.family('node_infiniband_info', 'What the driver says about the adapter, as labels.', 'gauge')
    for (const device of devices) {
      const text = (file: string): string => attributes.text(`${root}/${device}/${file}`) ?? ''
      const labels = ['board_id', text('board_id'), 'device', device, 'firmware_version', text('fw_ver'), 'hca_type', text('hca_type')]
      writer.sample(1, labels)
    }
    const ports: Port[] = []
    for (const device of devices) for (const port of listSorted(`${root}/${device}/ports`)) ports.push(await readPort(device, port))
    writeGauges(writer, ports)
    portCounters.forEach(({ file, name, factor }, index) => {
      writer.family(`node_infiniband_${name}_total`, `The port's ${file.slice(file.indexOf('/') + 1).replaceAll('_', ' ')}.`, 'counter')
      for (const { labels, values } of ports) if (!Number.isNaN(values[index]!)) writer.sample(values[index]! * (factor ?? 1), labels)
    })
  }

  // Counters come from the adapter. Which of them there are differs by driver: only those listed are opened.
  async function readPort(device: string, port: string): Promise<Port> {
    const directory = `${root}/${device}/ports/${port}`
    const present = new Set(
      ['counters', 'counters_ext', 'hw_counters'].flatMap((part) => listSorted(`${directory}/${part}`).map((file) => `${part}/${file}`)),
    )
    const files = portCounters.map(({ file }) => file).filter((file) => present.has(file))
    const texts = await hardware.read(
      `${device}/${port}`,
      files.map((file) => `${directory}/${file}`),
    )
    const valueByFile = new Map(files.map((file, index) => [file, integerOf(texts[index])]))
    return {
      labels: ['device', device, 'port', port],
      values: portCounters.map(({ file }) => valueByFile.get(file) ?? NaN),
      stateId: leadingNumber(attributes.text(`${directory}/state`)),
      physicalStateId: leadingNumber(attributes.text(`${directory}/phys_state`)),
      // `2.5 Gb/sec (1X SDR)`; the original reads a number of 32 bits.
      rateBytes: Math.trunc(Math.fround(leadingNumber(attributes.text(`${directory}/rate`))) * bytesPerGigabit),
      lifespanSeconds: Math.trunc(attributes.integer(`${directory}/hw_counters/lifespan`) / 1000),
    }
  }

  return { name: 'infiniband', defaultOn: true, collect }
}

function writeGauges(writer: MetricWriter, ports: readonly Port[]): void {
  const write = (name: string, help: string, valueOf: (port: Port) => number): void => {
    writer.family(`node_infiniband_${name}`, help, 'gauge')
    for (const port of ports) if (!Number.isNaN(valueOf(port))) writer.sample(valueOf(port), port.labels)
  }
  write('lifespan_seconds', 'Seconds for which counters may be answered from memory.', ({ lifespanSeconds }) => lifespanSeconds)
  write('physical_state_id', 'Physical state of the port: 5 is up.', ({ physicalStateId }) => physicalStateId)
  write('rate_bytes_per_second', 'Signal rate of the port.', ({ rateBytes }) => rateBytes)
  write('state_id', 'State of the port: 4 is active.', ({ stateId }) => stateId)
}

/** `4: ACTIVE`, `40 Gb/sec (4X QDR)`. */
function leadingNumber(text = ''): number {
  const match = /^[0-9]+(?:\.[0-9]+)?(?=[: ])/.exec(text)
  return match === null ? NaN : Number(match[0])
}

function listDevices(root: string): string[] {
  try {
    return readdirSync(root).sort()
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error
    throw new NoDataError('no InfiniBand adapters on this system', { cause: error })
  }
}
