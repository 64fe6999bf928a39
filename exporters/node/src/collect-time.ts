import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import { readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'
import { loadLocalTimeZone } from './time-zone.ts'

export function createTimeCollector(environment: NodeEnvironment): Collector {
  const zone = loadLocalTimeZone(process.env['TZ'])

  function collect({ writer }: CollectContext): void {
    const nowSeconds = environment.nowMs() / 1000
    writer.family('node_time_seconds', 'System time in Unix time.', 'gauge')
    writer.sample(nowSeconds)
    const { name, offsetSeconds } = zone.at(nowSeconds)
    writer.family('node_time_zone_offset_seconds', 'Offset of local time from UTC.', 'gauge')
    writer.sample(offsetSeconds, ['time_zone', name])
    writeClockSources(environment, writer)
  }

  return { name: 'time', defaultOn: true, collect }
}

function writeClockSources(environment: NodeEnvironment, writer: MetricWriter): void {
  const directory = environment.sysPath('devices/system/clocksource')
  const devices = listClockSources(directory)
  writer.family('node_time_clocksource_available_info', 'Clock sources that the kernel could use.', 'gauge')
  for (const device of devices) {
    const text = environment.files.readTextIfThere(`${directory}/clocksource${device}/available_clocksource`) ?? ''
    for (const source of text.split(' ').sort()) if (source !== '') writer.sample(1, ['clocksource', source, 'device', device])
  }
  writer.family('node_time_clocksource_current_info', 'The clock source that the kernel uses.', 'gauge')
  for (const device of devices) {
    const source = environment.files.readTextIfThere(`${directory}/clocksource${device}/current_clocksource`)
    if (source !== undefined) writer.sample(1, ['clocksource', source, 'device', device])
  }
}

function listClockSources(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => /^clocksource[0-9]+$/.test(name))
      .map((name) => name.slice('clocksource'.length))
      .sort()
  } catch {
    return []
  }
}
