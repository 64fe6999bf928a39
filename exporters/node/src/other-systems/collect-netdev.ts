import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { Systeminformation } from 'systeminformation'
import { createDeviceFilter, startFamily, writeAddresses } from '../collect-netdev.ts'
import type { NodeEnvironment } from '../environment.ts'
import type { Machine } from './machine.ts'
import { SharedAnswer } from './shared-answer.ts'

type Field = 'rx_bytes' | 'rx_dropped' | 'rx_errors' | 'tx_bytes' | 'tx_dropped' | 'tx_errors'
type Column = readonly [name: string, field: Field]

const columns: readonly Column[] = [
  ['receive_bytes', 'rx_bytes'],
  ['receive_errs', 'rx_errors'],
  ['transmit_bytes', 'tx_bytes'],
  ['transmit_errs', 'tx_errors'],
]
// On macOS the library shows the drops of one queue for both ways.
const windowsColumns: readonly Column[] = [...columns, ['receive_drop', 'rx_dropped'], ['transmit_drop', 'tx_dropped']]

/** Devices with an address: Node.js names those, and asking the library for all starts a dozen programs more. On Windows it knows the names. */
export function createNetdevCollector(environment: NodeEnvironment, { library, platform, system }: Machine): Collector {
  const { flags } = environment
  const filter = createDeviceFilter(flags)
  const isWindows = platform === 'win32'
  const shown = isWindows ? windowsColumns : columns
  const hasAddresses = flags.boolean('collector.netdev.address-info')
  const statistics = new SharedAnswer(async () => {
    const names = Object.keys(system.networkInterfaces()).filter((name) => !filter.isIgnored(name))
    if (names.length === 0) return []
    return (await library()).networkStats(isWindows ? '*' : names.join(','))
  }, 1_000)

  async function collect({ writer }: CollectContext): Promise<void> {
    if (hasAddresses) writeAddresses(writer, system.networkInterfaces())
    const devices = sortByName(await statistics.get()).filter(({ iface }) => !filter.isIgnored(iface))
    for (const [name, field] of shown) {
      startFamily(writer, name)
      for (const device of devices) if (Number.isFinite(device[field])) writer.sample(device[field], ['device', device.iface])
    }
  }

  return { name: 'netdev', defaultOn: true, collect }
}

function sortByName(devices: readonly Systeminformation.NetworkStatsData[]): Systeminformation.NetworkStatsData[] {
  return devices.toSorted((a, b) => (a.iface < b.iface ? -1 : 1))
}
