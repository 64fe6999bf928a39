import type { ByteScanner } from '@narthex/exporter-kit/byte-scanner'
import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { NameFilter } from '@narthex/exporter-kit/name-filter'
import { hexadecimalDigit } from './attribute-reader.ts'
import type { NodeEnvironment } from './environment.ts'

export const arpFlags: readonly FlagSpec[] = [
  {
    name: 'collector.arp.device-include',
    type: 'string',
    help: 'Regexp of arp devices to include (mutually exclusive to device-exclude).',
  },
  {
    name: 'collector.arp.device-exclude',
    type: 'string',
    help: 'Regexp of arp devices to exclude (mutually exclusive to device-include).',
  },
  {
    name: 'collector.arp.netlink',
    type: 'boolean',
    default: true,
    help: 'Count what netlink would list: without the addresses that this machine answers for (read from /proc/net/arp either way).',
  },
]

const columnCount = 6
/** ATF_PUBL of <linux/if_arp.h>: an address that this machine answers for. */
const publishedFlag = 8

interface Device {
  readonly name: string
  readonly bytes: Buffer
  count: number
}

export function createArpCollector(environment: NodeEnvironment): Collector {
  const { files, flags, scanner } = environment
  const path = environment.procPath('net/arp')
  const filter = new NameFilter(flags.string('collector.arp.device-exclude'), flags.string('collector.arp.device-include'))
  const countsPublished = !flags.boolean('collector.arp.netlink')

  function collect({ writer }: CollectContext): void {
    scanner.load(files.read(path))
    const devices = countByDevice()
    writer.family('node_arp_entries', 'Entries of the ARP table by device.', 'gauge')
    for (const { name, count } of devices.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (!filter.isIgnored(name)) writer.sample(count, ['device', name])
    }
  }

  // Address, type, flags, hardware address, mask, device. The heading alone has a blank in its first column's name.
  function countByDevice(): Device[] {
    const devices: Device[] = []
    let last: Device | undefined
    while (scanner.nextLine()) {
      if (!scanner.nextField() || scanner.fieldIs('IP')) continue
      scanner.nextField()
      scanner.nextField()
      const isPublished = (hexadecimalDigit(scanner.bytes[scanner.fieldEnd - 1]!) & publishedFlag) !== 0
      for (let column = 3; column < columnCount; column++) {
        if (!scanner.nextField()) throw new Error(`cannot read ${path}: want ${columnCount} columns, got ${column}`)
      }
      if (isPublished && !countsPublished) continue
      // Entries of a device stand apart: only a change of device costs a search, and only a new device a text.
      if (last === undefined || !isFieldOf(scanner, last)) last = devices.find((device) => isFieldOf(scanner, device))
      if (last === undefined) {
        last = { name: scanner.text(), bytes: Buffer.from(scanner.bytes.subarray(scanner.fieldStart, scanner.fieldEnd)), count: 0 }
        devices.push(last)
      }
      last.count++
    }
    return devices
  }

  return { name: 'arp', defaultOn: true, collect }
}

function isFieldOf({ bytes, fieldStart, fieldEnd }: ByteScanner, device: Device): boolean {
  return device.bytes.compare(bytes, fieldStart, fieldEnd) === 0
}
