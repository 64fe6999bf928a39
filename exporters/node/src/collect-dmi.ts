import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { existsSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'

// Files in /sys/class/dmi/id, which are the labels but for one.
const files = [
  'bios_date',
  'bios_release',
  'bios_vendor',
  'bios_version',
  'board_asset_tag',
  'board_name',
  'board_serial',
  'board_vendor',
  'board_version',
  'chassis_asset_tag',
  'chassis_serial',
  'chassis_vendor',
  'chassis_version',
  'product_family',
  'product_name',
  'product_serial',
  'product_sku',
  'product_uuid',
  'product_version',
  'sys_vendor',
]

/** What the firmware says about the machine; it does not change before the next boot and is read once. */
export function createDmiCollector(environment: NodeEnvironment): Collector {
  let labels: readonly string[] | undefined

  function collect({ writer }: CollectContext): void {
    labels ??= readLabels(environment)
    if (labels === undefined) throw new NoDataError('the platform has no DMI information')
    writer.family('node_dmi_info', 'What the firmware says about the machine, as labels.', 'gauge')
    writer.sample(1, labels)
  }

  return { name: 'dmi', defaultOn: true, collect }
}

/** Labels of the files that may be read (serial numbers are for root alone); undefined if there are none. */
function readLabels(environment: NodeEnvironment): string[] | undefined {
  if (!existsSync(environment.sysPath('class/dmi/id'))) return undefined
  const labels: string[] = []
  for (const file of files) {
    const text = environment.attributes.text(environment.sysPath(`class/dmi/id/${file}`))
    if (text !== undefined) labels.push(file === 'sys_vendor' ? 'system_vendor' : file, oneReplacement(text))
  }
  return labels.length === 0 ? undefined : labels
}

/** A run of bytes that are no UTF-8 becomes one U+FFFD, as in the original. */
export function oneReplacement(text: string): string {
  return text.replace(/\ufffd+/g, '\ufffd')
}
