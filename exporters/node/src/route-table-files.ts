import type { ByteScanner } from '@narthex/exporter-kit/byte-scanner'
import { systemErrorCode, type FileReader } from '@narthex/exporter-kit/file-reader'
import { countMaskBits, formatIpv4, formatIpv6 } from './ip-address-text.ts'

const rejectFlag = 0x200
const anycastFlag = 0x100000
const cacheFlag = 0x1000000
const localFlag = 0x80000000

export interface RouteRow {
  readonly device: string
  /** `192.0.2.0/24`, `default` */
  readonly destination: string
  /** '' if there is none. */
  readonly gateway: string
  readonly priority: number
}

/** Unicast routes of /proc/net/route (IPv4, the main table) and /proc/net/ipv6_route (all tables). */
export function readRouteTables(files: FileReader, scanner: ByteScanner, path: string, path6: string): RouteRow[] {
  return [...readIpv4(), ...readIpv6()]

  // Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
  function readIpv4(): RouteRow[] {
    const routes: RouteRow[] = []
    scanner.load(files.read(path))
    scanner.nextLine()
    while (scanner.nextLine()) {
      const fields = readFields()
      const [device, address, gateway, flags, , , metric, mask] = fields
      if (device === undefined) continue
      if (mask === undefined) throw new Error(`cannot read ${path}: want 11 fields, got ${fields.length}`)
      if ((Number.parseInt(flags!, 16) & rejectFlag) !== 0) continue
      const bits = countMaskBits(mask)
      routes.push({
        device,
        destination: bits === 0 ? 'default' : `${formatIpv4(address!)}/${bits}`,
        gateway: /^0+$/.test(gateway!) ? '' : formatIpv4(gateway!),
        priority: Number(metric),
      })
    }
    return routes
  }

  // DESTINATION BITS SOURCE BITS GATEWAY METRIC REFCOUNT USE FLAGS DEVICE, numbers hexadecimal
  function readIpv6(): RouteRow[] {
    const routes: RouteRow[] = []
    const bytes = readIfThere(path6)
    if (bytes === undefined) return routes // a kernel without IPv6
    scanner.load(bytes)
    while (scanner.nextLine()) {
      const fields = readFields()
      const [address, bits, , , gateway, metric, , , flagsText, device] = fields
      if (address === undefined) continue
      if (device === undefined) throw new Error(`cannot read ${path6}: want 10 fields, got ${fields.length}`)
      const flags = Number.parseInt(flagsText!, 16)
      // Multicast, anycast and local addresses are other kinds of routes.
      if ((flags & (rejectFlag | anycastFlag | cacheFlag | localFlag)) !== 0 || address.startsWith('ff')) continue
      const prefixBits = Number.parseInt(bits!, 16)
      routes.push({
        device,
        destination: prefixBits === 0 ? 'default' : `${formatIpv6(address)}/${prefixBits}`,
        gateway: /^0+$/.test(gateway!) ? '' : formatIpv6(gateway!),
        priority: Number.parseInt(metric!, 16),
      })
    }
    return routes
  }

  function readFields(): string[] {
    const fields: string[] = []
    while (scanner.nextField()) fields.push(scanner.text())
    return fields
  }

  function readIfThere(name: string): Buffer | undefined {
    try {
      return files.read(name)
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return undefined
      throw error
    }
  }
}
