import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { createDeviceFilter, startFamily, writeAddresses } from '../collect-netdev.ts'
import type { NodeEnvironment } from '../environment.ts'
import { parseInterfaceStatistics, type InterfaceStatistics } from './interface-statistics.ts'
import type { Machine } from './machine.ts'
import { SharedAnswer } from './shared-answer.ts'

/**
 * On macOS netstat(1), which the library starts twice for each device and reads in part; on Windows the library, whose answers scrapes within a
 * second share.
 */
export function createNetdevCollector(environment: NodeEnvironment, machine: Machine): Collector {
  const { flags } = environment
  const { platform, run, system } = machine
  const filter = createDeviceFilter(flags)
  const hasAddresses = flags.boolean('collector.netdev.address-info')
  const windows = new SharedAnswer(() => askLibrary(machine), 1_000)

  async function collect({ signal, writer }: CollectContext): Promise<void> {
    if (hasAddresses) writeAddresses(writer, system.networkInterfaces())
    const all = platform === 'win32' ? await windows.get() : parseInterfaceStatistics(await run('/usr/sbin/netstat', ['-ibdn'], signal))
    const devices = all.filter(({ device }) => !filter.isIgnored(device)).sort((a, b) => (a.device < b.device ? -1 : 1))
    for (const name of new Set(devices.flatMap(({ counts }) => [...counts.keys()]))) {
      startFamily(writer, name)
      for (const { counts, device } of devices) if (counts.has(name)) writer.sample(counts.get(name)!, ['device', device])
    }
  }

  return { name: 'netdev', defaultOn: true, collect }
}

async function askLibrary({ library }: Machine): Promise<InterfaceStatistics[]> {
  const devices = await (await library()).networkStats('*')
  return devices.map((answer) => {
    const counts: readonly (readonly [name: string, count: number])[] = [
      ['receive_bytes', answer.rx_bytes],
      ['receive_drop', answer.rx_dropped],
      ['receive_errs', answer.rx_errors],
      ['transmit_bytes', answer.tx_bytes],
      ['transmit_drop', answer.tx_dropped],
      ['transmit_errs', answer.tx_errors],
    ]
    return { device: answer.iface, counts: new Map(counts.filter(([, count]) => Number.isFinite(count))) }
  })
}
