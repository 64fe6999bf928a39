import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'
import { HardwareReader, integerOf } from './hardware-reader.ts'

/** What drivers print for a counter that the adapter does not have. */
const unsupported = 2 ** 64

// Files in /sys/class/fc_host/HOST/statistics (drivers/scsi/scsi_transport_fc.c) and their families.
const counters: readonly (readonly [file: string, name: string, help: string])[] = [
  ['dumped_frames', 'dumped_frames', 'Frames dumped.'],
  ['error_frames', 'error_frames', 'Frames with errors.'],
  ['fcp_packet_aborts', 'fcp_packet_aborts', 'Packets aborted.'],
  ['invalid_crc_count', 'invalid_crc', 'Frames with a wrong checksum.'],
  ['invalid_tx_word_count', 'invalid_tx_words', 'Invalid words sent.'],
  ['link_failure_count', 'link_failure', 'Failures of the link.'],
  ['loss_of_signal_count', 'loss_of_signal', 'Losses of the signal.'],
  ['loss_of_sync_count', 'loss_of_sync', 'Losses of synchronization.'],
  ['nos_count', 'nos', 'Not-operational sequences received.'],
  ['rx_frames', 'rx_frames', 'Frames received.'],
  ['rx_words', 'rx_words', 'Words received.'],
  ['seconds_since_last_reset', 'seconds_since_last_reset', 'Seconds since the port was reset.'],
  ['tx_frames', 'tx_frames', 'Frames sent.'],
  ['tx_words', 'tx_words', 'Words sent.'],
]

// Files that are labels of the info family; of the hexadecimal ones the original cuts the `0x`.
const infoFiles = [
  'dev_loss_tmo',
  'fabric_name',
  'port_id',
  'port_name',
  'port_state',
  'port_type',
  'speed',
  'supported_classes',
  'supported_speeds',
  'symbolic_name',
]
const hexadecimalFiles = ['fabric_name', 'port_id', 'port_name']

interface Host {
  readonly infoLabels: readonly string[]
  readonly labels: readonly string[]
  readonly values: readonly number[]
}

export function createFibrechannelCollector(environment: NodeEnvironment): Collector {
  const root = environment.sysPath('class/fc_host')
  const hardware = new HardwareReader(environment.attributes)

  async function collect({ writer }: CollectContext): Promise<void> {
    const hosts: Host[] = []
    for (const name of listHosts(root)) hosts.push(await readHost(name))
    writer.family('node_fibrechannel_info', 'What the driver says about the port, as labels.', 'gauge')
    for (const { infoLabels } of hosts) writer.sample(1, infoLabels)
    counters.forEach(([, name, help], index) => {
      writer.family(`node_fibrechannel_${name}_total`, help, 'counter')
      for (const { labels, values } of hosts) {
        const value = values[index]!
        if (!Number.isNaN(value) && value !== unsupported) writer.sample(value, labels)
      }
    })
  }

  // Some drivers ask the adapter anew for each of these files.
  async function readHost(name: string): Promise<Host> {
    const paths = [...infoFiles.map((file) => `${root}/${name}/${file}`), ...counters.map(([file]) => `${root}/${name}/statistics/${file}`)]
    const texts = await hardware.read(name, paths)
    const info = infoFiles.map((file, index): [string, string] => {
      const text = texts[index] ?? ''
      return [file, hexadecimalFiles.includes(file) && text.length > 2 ? text.slice(2) : text]
    })
    info.push(['fc_host', name])
    return {
      infoLabels: info.sort(([a], [b]) => (a < b ? -1 : 1)).flat(),
      labels: ['fc_host', name],
      values: texts.slice(infoFiles.length).map((text) => integerOf(text)),
    }
  }

  return { name: 'fibrechannel', defaultOn: true, collect }
}

function listHosts(root: string): string[] {
  try {
    return readdirSync(root).sort()
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error
    throw new NoDataError('no Fibre Channel ports on this system', { cause: error })
  }
}
