import type { MetricWriter } from '@narthex/exporter-kit/collector'
import { parseGoFloat } from '@narthex/model/number'
import { oneReplacement } from './collect-dmi.ts'
import { compareLabels } from './compare-labels.ts'

/** Sensor types of the kernel's hwmon interface (Documentation/hwmon/sysfs-interface.rst) and of older drivers. */
const sensorTypes: ReadonlySet<string> = new Set(
  'vrm beep_enable update_interval in cpu fan pwm temp curr power energy humidity intrusion freq'.split(' '),
)

export interface SensorFile {
  readonly type: string
  /** Type and number: `temp1`. */
  readonly sensor: string
  /** What stands behind the underscore, or empty: `crit_alarm` of `temp1_crit_alarm`. */
  readonly element: string
}

/** One chip: its sensors by name, and the text of each of their files by element. */
export interface Chip {
  readonly name: string
  readonly readableName: string | undefined
  readonly sensors: ReadonlyMap<string, { readonly type: string; readonly elements: ReadonlyMap<string, string> }>
}

/** What a file in a hwmon directory is; undefined if it is no sensor file. */
export function parseSensorFileName(name: string): SensorFile | undefined {
  const match = /^([^0-9]+)([0-9]*)(?:_(.+))?$/.exec(name)
  if (match === null || !sensorTypes.has(match[1]!)) return undefined
  return { type: match[1]!, sensor: `${match[1]}${Number(match[2])}`, element: match[3] ?? '' }
}

/** Lower case, with underscores for what a metric name cannot hold. */
export function cleanName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9:_]/g, '_')
    .replace(/^_+|_+$/g, '')
}

/** Writes all chips family by family. */
export function writeChips(writer: MetricWriter, chips: readonly Chip[]): void {
  const families = new Map<string, { readonly type: 'counter' | 'gauge'; readonly help: string; readonly samples: [number, string[]][] }>()
  const add = (name: string, help: string, value: number, labels: string[], type: 'counter' | 'gauge' = 'gauge'): void => {
    let family = families.get(name)
    if (family === undefined) {
      family = { type, help, samples: [] }
      families.set(name, family)
    }
    family.samples.push([value, labels])
  }
  for (const chip of chips) {
    if (chip.readableName !== undefined) {
      add('node_hwmon_chip_names', 'Readable names of the chips.', 1, ['chip', chip.name, 'chip_name', chip.readableName])
    }
    for (const [sensor, { type, elements }] of chip.sensors) addSensor(add, chip.name, sensor, type, elements)
  }
  for (const name of [...families.keys()].sort()) {
    const { help, type, samples } = families.get(name)!
    writer.family(name, help, type)
    samples.sort(([, a], [, b]) => compareLabels(a, b))
    for (const [value, labels] of samples) writer.sample(value, labels)
  }
}

type AddSample = (name: string, help: string, value: number, labels: string[], type?: 'counter' | 'gauge') => void

function addSensor(add: AddSample, chip: string, sensor: string, type: string, elements: ReadonlyMap<string, string>): void {
  const labels = ['chip', chip, 'sensor', sensor]
  const label = elements.get('label')
  if (label !== undefined) {
    add('node_hwmon_sensor_label', 'Labels of the sensors.', 1, ['chip', chip, 'label', oneReplacement(label), 'sensor', sensor])
  }
  const whole = parseGoFloat(elements.get('') ?? '')
  if (type === 'beep_enable') {
    add('node_hwmon_beep_enabled', 'Whether beeps are enabled.', elements.get('') === '1' ? 1 : 0, labels)
  } else if (type === 'vrm') {
    if (whole !== undefined) add('node_hwmon_voltage_regulator_version', 'Version of the voltage regulator.', whole, labels)
  } else if (type === 'update_interval') {
    if (whole !== undefined) add('node_hwmon_update_interval_seconds', 'Interval between updates.', whole * 0.001, labels)
  } else {
    for (const element of [...elements.keys()].sort()) addElement(add, chip, sensor, type, element, elements)
  }
}

function addElement(
  add: AddSample,
  chip: string,
  sensor: string,
  type: string,
  element: string,
  elements: ReadonlyMap<string, string>,
): void {
  if (element === 'label') return
  const value = parseGoFloat(elements.get(element)!)
  if (value === undefined) return
  let name = `node_hwmon_${type}`
  // `temp1_input` is the value itself, unless there is a `temp1` too.
  if (element === 'input') name += elements.has('') ? '_input' : ''
  else if (element !== '') name += `_${cleanName(element)}`
  const unit = findUnit(type, element)
  const help = `Sensor value ${element === '' ? 'input' : element} of ${type}.`
  if (type === 'freq' && element === 'input') {
    // Without a label nobody could tell which clock it is.
    const label = elements.get('label')
    if (label !== undefined) add(`${name}_freq_mhz`, help, value / 1_000_000, ['chip', chip, 'sensor', cleanName(label)])
    return
  }
  const scaled = unit.divisor === undefined ? value * unit.factor : value / unit.divisor
  add(name + unit.suffix, help, scaled, ['chip', chip, 'sensor', sensor], unit.type)
}

interface Unit {
  readonly suffix: string
  readonly factor: number
  /** In place of the factor where the original divides: the results differ in the last digit. */
  readonly divisor?: number
  readonly type?: 'counter'
}

const plain: Unit = { suffix: '', factor: 1 }
const fanSpeeds: ReadonlySet<string> = new Set(['input', 'min', 'max', 'target'])
const millionth = (suffix: string): Unit => ({ suffix, factor: 1, divisor: 1_000_000 })
const thousandth = (suffix: string): Unit => ({ suffix, factor: 0.001 })

function findUnit(type: string, element: string): Unit {
  if (element === 'fault' || element === 'alarm') return plain
  if (element === 'beep') return { suffix: '_enabled', factor: 1 }
  if (type === 'in' || type === 'cpu') return thousandth('_volts')
  if (type === 'temp' && element !== 'type') return thousandth('_celsius')
  if (type === 'curr') return thousandth('_amps')
  if (type === 'energy') return { ...millionth('_joule_total'), type: 'counter' }
  if (type === 'power' && element === 'accuracy') return millionth('')
  if (type === 'power' && /^average_interval(_min|_max)?$/.test(element)) return thousandth('_seconds')
  if (type === 'power') return millionth('_watt')
  if (type === 'humidity') return millionth('')
  if (type === 'fan' && fanSpeeds.has(element)) return { suffix: '_rpm', factor: 1 }
  return plain
}
