import { NoDataError, type CollectContext, type Collector, type MetricWriter } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'
import { EventLoopTurn } from './event-loop-turn.ts'
import { KernelCalls, type LoadSystemCalls } from './kernel-calls.ts'
import { Wireless, type WirelessInterface, type WirelessNetwork, type WirelessStation } from './netlink/wireless.ts'

/** Labels by the network's status. */
const modes = ['client', 'client', 'ad-hoc']

const families: readonly (readonly [name: string, help: string, type: 'counter' | 'gauge', pick: (station: WirelessStation) => number])[] =
  [
    ['beacon_loss_total', 'Times that beacons were lost.', 'counter', ({ beaconLoss }) => beaconLoss],
    ['connected_seconds_total', 'Seconds since the station connected.', 'counter', ({ connectedSeconds }) => connectedSeconds],
    ['inactive_seconds', 'Seconds since the station was last active.', 'gauge', ({ inactiveMs }) => inactiveMs / 1000],
    ['receive_bits_per_second', 'Rate of the last reception.', 'gauge', ({ receiveBitsPerSecond }) => receiveBitsPerSecond],
    ['receive_bytes_total', 'Bytes received from the station.', 'counter', ({ receivedBytes }) => receivedBytes],
    ['received_packets_total', 'Packets received from the station.', 'counter', ({ receivedPackets }) => receivedPackets],
    ['signal_dbm', 'Strength of the last signal.', 'gauge', ({ signalDbm }) => signalDbm],
    ['transmit_bits_per_second', 'Rate of the last transmission.', 'gauge', ({ transmitBitsPerSecond }) => transmitBitsPerSecond],
    ['transmit_bytes_total', 'Bytes sent to the station.', 'counter', ({ transmittedBytes }) => transmittedBytes],
    ['transmit_failed_total', 'Packets that could not be sent to the station.', 'counter', ({ failed }) => failed],
    ['transmit_retries_total', 'Packets that were sent again.', 'counter', ({ retries }) => retries],
    ['transmitted_packets_total', 'Packets sent to the station.', 'counter', ({ transmittedPackets }) => transmittedPackets],
  ]

interface Device extends WirelessInterface {
  readonly network: WirelessNetwork | undefined
  readonly stations: readonly WirelessStation[]
}

/** Wireless devices, their network and stations, from nl80211 by netlink. */
export function createWifiCollector(environment: NodeEnvironment, _?: unknown, load?: LoadSystemCalls): Collector {
  const calls = new KernelCalls('wifi', environment.log, load)

  async function collect({ writer }: CollectContext): Promise<void> {
    const wireless = Wireless.open(calls.get())
    if (wireless === undefined) throw new NoDataError('the kernel has no nl80211')
    try {
      writeDevices(writer, await readDevices(wireless))
    } finally {
      wireless.close()
    }
  }

  return { name: 'wifi', defaultOn: false, collect }
}

async function readDevices(wireless: Wireless): Promise<Device[]> {
  const turn = EventLoopTurn.start()
  const devices: Device[] = []
  for (const found of await wireless.readInterfaces(turn)) {
    const network = await wireless.readNetwork(found.index, turn)
    devices.push({ ...found, network, stations: await wireless.readStations(found.index, turn) })
  }
  return devices
}

function writeDevices(writer: MetricWriter, devices: readonly Device[]): void {
  writer.family('node_wifi_interface_frequency_hertz', 'Frequency that the device works on.', 'gauge')
  for (const { name, frequencyMegahertz } of devices) writer.sample(frequencyMegahertz * 1e6, ['device', name])
  writer.family('node_wifi_station_info', 'The network that the device belongs to, as labels.', 'gauge')
  for (const { name, network } of devices) {
    if (network === undefined) continue
    writer.sample(1, ['bssid', network.address, 'device', name, 'mode', modes[network.status] ?? 'unknown', 'ssid', network.name])
  }
  for (const [name, help, type, pick] of families) {
    writer.family(`node_wifi_station_${name}`, help, type)
    for (const device of devices) {
      for (const station of device.stations) writer.sample(pick(station), ['device', device.name, 'mac_address', station.address])
    }
  }
}
