import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { NameFilter } from '@narthex/exporter-kit/name-filter'
import { readdirSync, realpathSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { NodeEnvironment } from './environment.ts'
import { readInPool } from './hardware-reader.ts'
import { cleanName, parseSensorFileName, writeChips, type Chip } from './hwmon-sensors.ts'

export const hwmonFlags: readonly FlagSpec[] = [
  { name: 'collector.hwmon.chip-include', type: 'string', help: 'Regexp of hwmon chips to include (mutually exclusive to chip-exclude).' },
  { name: 'collector.hwmon.chip-exclude', type: 'string', help: 'Regexp of hwmon chips to exclude (mutually exclusive to chip-include).' },
  {
    name: 'collector.hwmon.sensor-include',
    type: 'string',
    help: 'Regexp of hwmon sensors (CHIP;SENSOR) to include (mutually exclusive to sensor-exclude).',
  },
  {
    name: 'collector.hwmon.sensor-exclude',
    type: 'string',
    help: 'Regexp of hwmon sensors (CHIP;SENSOR) to exclude (mutually exclusive to sensor-include).',
  },
]

/** A chip whose files take longer than this on average is read in the thread pool from then on. */
const slowFileMs = 0.5

// Reading a sensor may ask the hardware over a slow bus: that takes from microseconds to seconds and differs by chip. So a chip is read
// in the thread pool at first; one that answers at once is read directly from then on, at a tenth of the CPU time, until it is slow once.
type ReadMode = 'pool' | 'direct'

export function createHwmonCollector(environment: NodeEnvironment): Collector {
  const { flags } = environment
  const chipFilter = new NameFilter(flags.string('collector.hwmon.chip-exclude'), flags.string('collector.hwmon.chip-include'))
  const sensorFilter = new NameFilter(flags.string('collector.hwmon.sensor-exclude'), flags.string('collector.hwmon.sensor-include'))
  const root = environment.sysPath('class/hwmon')
  let modes = new Map<string, ReadMode>()

  async function collect({ writer }: CollectContext): Promise<void> {
    const chips: Chip[] = []
    const modesNext = new Map<string, ReadMode>()
    let lastError: unknown
    const directories = listChips(root).map((entry) => `${root}/${entry}`)
    for (const { directory, name, ownName } of nameChips(environment, directories)) {
      try {
        if (chipFilter.isIgnored(name)) continue
        const { sensors, mode } = await readSensors(environment, directory, modes.get(name) ?? 'pool', (sensor) =>
          sensorFilter.isIgnored(`${name};${sensor}`),
        )
        modesNext.set(name, mode)
        chips.push({ name, readableName: ownName === '' ? undefined : ownName, sensors })
      } catch (error) {
        lastError = error
      }
    }
    modes = modesNext
    writeChips(
      writer,
      chips.sort((a, b) => (a.name < b.name ? -1 : 1)),
    )
    if (lastError !== undefined) throw lastError
  }

  return { name: 'hwmon', defaultOn: true, collect }
}

function listChips(root: string): string[] {
  try {
    return readdirSync(root).sort()
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error
    throw new NoDataError('no hardware monitoring on this system', { cause: error })
  }
}

interface NamedChip {
  readonly directory: string
  /** What the label says; unique. */
  readonly name: string
  /** What the driver calls the chip, or empty. */
  readonly ownName: string
}

/**
 * Names of the chips. Several chips of one device (fans and sensors of a laptop, the radios of a wireless card) would have the same: each
 * then gets its own name behind it, and hwmonN where that is the same, too. Chips that have no name at all are left out.
 */
function nameChips(environment: NodeEnvironment, directories: readonly string[]): NamedChip[] {
  const named = directories.flatMap((directory) => {
    const ownName = cleanName(environment.files.readTextIfThere(`${directory}/name`) ?? '')
    const name = nameChip(directory, ownName)
    return name === undefined ? [] : [{ directory, name, ownName }]
  })
  return named.map((chip) => {
    const { directory, name, ownName } = chip
    const namesakes = named.filter((other) => other.name === name)
    if (namesakes.length === 1) return chip
    const isOwnNameUnique = ownName !== '' && namesakes.filter((other) => other.ownName === ownName).length === 1
    return { ...chip, name: `${name}_${isOwnNameUnique ? ownName : cleanName(basename(directory))}` }
  })
}

/**
 * A name that stays when drivers load in another order: bus and device of the path where there is a device, else the chip's own name,
 * else hwmonN.
 */
function nameChip(directory: string, ownName: string): string | undefined {
  const device = resolvePath(`${directory}/device`)
  if (device !== undefined) {
    const deviceName = cleanName(basename(device))
    const busName = cleanName(basename(dirname(device)))
    if (deviceName !== '') return busName === '' ? deviceName : `${busName}_${deviceName}`
  }
  if (ownName !== '') return ownName
  const name = cleanName(basename(resolvePath(directory) ?? ''))
  return name === '' ? undefined : name
}

function resolvePath(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

interface Sensor {
  readonly type: string
  readonly elements: Map<string, string>
}

async function readSensors(
  environment: NodeEnvironment,
  directory: string,
  mode: ReadMode,
  isIgnored: (sensor: string) => boolean,
): Promise<{ sensors: ReadonlyMap<string, Sensor>; mode: ReadMode }> {
  const sensors = new Map<string, Sensor>()
  const startMs = performance.now()
  let fileCount = 0
  // Drivers older than the interface put their files into the device's directory.
  for (const path of [directory, `${directory}/device`]) {
    for (const name of listFiles(path)) {
      const file = parseSensorFileName(name)
      if (file === undefined || isIgnored(file.sensor)) continue
      fileCount++
      const text =
        mode === 'pool' ? await readInPool(`${path}/${name}`) : environment.files.readIfThere(`${path}/${name}`)?.toString('utf8')
      if (text === undefined) continue
      const sensor = sensors.get(file.sensor) ?? { type: file.type, elements: new Map<string, string>() }
      sensor.elements.set(file.element, text.replace(/^\n+|\n+$/g, ''))
      sensors.set(file.sensor, sensor)
    }
  }
  const isSlow = performance.now() - startMs > slowFileMs * Math.max(fileCount, 1)
  const sorted = new Map([...sensors].sort(([a], [b]) => (a < b ? -1 : 1)))
  return { sensors: sorted, mode: isSlow ? 'pool' : 'direct' }
}

function listFiles(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
