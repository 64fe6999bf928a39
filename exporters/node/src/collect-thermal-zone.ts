import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { listSorted } from './attribute-reader.ts'
import { compareLabels } from './compare-labels.ts'
import type { NodeEnvironment } from './environment.ts'
import { HardwareReader, integerOf } from './hardware-reader.ts'

interface Reading {
  readonly value: number
  readonly labels: readonly string[]
}

interface CoolingDevice {
  readonly current: number
  readonly max: number
  readonly labels: readonly string[]
}

export function createThermalZoneCollector(environment: NodeEnvironment): Collector {
  const reader = new HardwareReader(environment.attributes)
  const root = environment.sysPath('class/thermal')

  async function collect({ writer }: CollectContext): Promise<void> {
    const zones: Reading[] = []
    const devices: CoolingDevice[] = []
    for (const name of listSorted(root)) {
      if (/^thermal_zone[0-9]/.test(name)) await readZone(name, zones)
      else if (/^cooling_device[0-9]/.test(name)) await readDevice(name, devices)
    }
    devices.sort((a, b) => compareLabels(a.labels, b.labels))
    writer.family('node_cooling_device_cur_state', 'State of the cooling device.', 'gauge')
    for (const { current, labels } of devices) writer.sample(current, labels)
    writer.family('node_cooling_device_max_state', 'Highest state of the cooling device.', 'gauge')
    for (const { max, labels } of devices) writer.sample(max, labels)
    writer.family('node_thermal_zone_temp', 'Temperature of the zone in degrees Celsius.', 'gauge')
    for (const { value, labels } of zones.sort((a, b) => compareLabels(a.labels, b.labels))) writer.sample(value, labels)
  }

  /** A zone whose sensor is off is left out. */
  async function readZone(name: string, zones: Reading[]): Promise<void> {
    const [type, temperature] = await reader.read(name, [`${root}/${name}/type`, `${root}/${name}/temp`])
    const millidegrees = integerOf(temperature)
    if (Number.isNaN(millidegrees)) return
    zones.push({ value: millidegrees / 1000, labels: ['type', type ?? '', 'zone', name.slice('thermal_zone'.length)] })
  }

  async function readDevice(name: string, devices: CoolingDevice[]): Promise<void> {
    const paths = ['type', 'cur_state', 'max_state'].map((file) => `${root}/${name}/${file}`)
    const [type, currentText, maxText] = await reader.read(name, paths)
    const current = integerOf(currentText)
    const max = integerOf(maxText)
    if (Number.isNaN(current) || Number.isNaN(max)) return
    devices.push({ current, max, labels: ['name', name.slice('cooling_device'.length), 'type', type ?? ''] })
  }

  return { name: 'thermal_zone', defaultOn: true, collect }
}
