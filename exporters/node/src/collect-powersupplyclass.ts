import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { NamePattern } from '@narthex/exporter-kit/name-filter'
import { readdirSync } from 'node:fs'
import { listSorted } from './attribute-reader.ts'
import { oneReplacement } from './collect-dmi.ts'
import type { NodeEnvironment } from './environment.ts'
import { HardwareReader, integerOf } from './hardware-reader.ts'

export const powersupplyclassFlags: readonly FlagSpec[] = [
  {
    name: 'collector.powersupply.ignored-supplies',
    type: 'string',
    default: '^$',
    help: 'Regexp of power supplies to ignore for powersupplyclass collector.',
  },
]

const micro = 1e6
const tenth = 10
/** Families by file (Documentation/ABI/testing/sysfs-class-power); the kernel's number is divided by `divisor`. */
const families: ReadonlyMap<string, { readonly name: string; readonly divisor: number }> = new Map([
  ...list(1, 'authentic calibrate capacity capacity_alert_max capacity_alert_min online present'),
  ...list(1, 'cycle_count=cyclecount time_to_empty_now=time_to_empty_seconds time_to_full_now=time_to_full_seconds'),
  ...list(micro, 'current_boot current_max current_now=current_ampere power_now=power_watt input_current_limit precharge_current'),
  ...list(micro, 'energy_empty energy_empty_design energy_full energy_full_design energy_now=energy_watthour'),
  ...list(micro, 'voltage_boot voltage_max voltage_max_design voltage_min voltage_min_design voltage_now=voltage_volt voltage_ocv'),
  ...list(micro, 'charge_control_limit charge_control_limit_max charge_counter charge_empty charge_empty_design charge_full'),
  ...list(micro, 'charge_full_design charge_now=charge_ampere charge_term_current constant_charge_current'),
  ...list(micro, 'constant_charge_current_max constant_charge_voltage constant_charge_voltage_max'),
  ...list(tenth, 'temp=temp_celsius temp_alert_max=temp_alert_max_celsius temp_alert_min=temp_alert_min_celsius'),
  ...list(tenth, 'temp_ambient=temp_ambient_celsius temp_ambient_max=temp_ambient_max_celsius'),
  ...list(tenth, 'temp_ambient_min=temp_ambient_min_celsius temp_max=temp_max_celsius temp_min=temp_min_celsius'),
])

/** Files that are labels of the info family, sorted. */
const infoFiles = 'capacity_level charge_type health manufacturer model_name scope serial_number status technology type usb_type'.split(' ')

interface Supply {
  readonly name: string
  readonly texts: ReadonlyMap<string, string>
}

export function createPowersupplyclassCollector(environment: NodeEnvironment): Collector {
  const reader = new HardwareReader(environment.attributes)
  const ignored = new NamePattern(environment.flags.string('collector.powersupply.ignored-supplies'))
  const root = environment.sysPath('class/power_supply')

  async function collect({ writer }: CollectContext): Promise<void> {
    const supplies: Supply[] = []
    for (const name of listSupplies(root)) if (!ignored.test(name)) supplies.push(await readSupply(name))
    // A machine without a battery has none, and no need of fifty names.
    if (supplies.length === 0) return
    writer.family('node_power_supply_info', 'What the driver says about the power supply, as labels.', 'gauge')
    for (const supply of supplies) writer.sample(1, infoLabels(supply))
    for (const [file, { name, divisor }] of families) {
      writer.family(`node_power_supply_${name}`, `Value of ${file} of the power supply.`, 'gauge')
      for (const supply of supplies) {
        const value = integerOf(supply.texts.get(file))
        if (!Number.isNaN(value)) writer.sample(value / divisor, ['power_supply', supply.name])
      }
    }
  }

  async function readSupply(name: string): Promise<Supply> {
    const files = listSorted(`${root}/${name}`).filter((file) => families.has(file) || infoFiles.includes(file))
    const values = await reader.read(
      name,
      files.map((file) => `${root}/${name}/${file}`),
    )
    const texts = new Map<string, string>()
    files.forEach((file, index) => {
      const text = values[index]
      if (text !== undefined) texts.set(file, text)
    })
    return { name, texts }
  }

  return { name: 'powersupplyclass', defaultOn: true, collect }
}

function listSupplies(root: string): string[] {
  try {
    return readdirSync(root).sort()
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error
    throw new NoDataError('no power supplies on this system', { cause: error })
  }
}

/** Only labels with a value. */
function infoLabels({ name, texts }: Supply): string[] {
  const labels: [string, string][] = [['power_supply', name]]
  for (const file of infoFiles) {
    const text = texts.get(file) ?? ''
    if (text !== '') labels.push([file, oneReplacement(text)])
  }
  return labels.sort(([a], [b]) => (a < b ? -1 : 1)).flat()
}

/** Entries of `families`: blank-separated files, with the family's name behind `=` where it is another one. */
function list(divisor: number, files: string): [string, { name: string; divisor: number }][] {
  return files.split(' ').map((item) => {
    const [file, name = file] = item.split('=') as [string, string?]
    return [file, { name, divisor }]
  })
}
