import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { NodeEnvironment } from './environment.ts'
import { countMaskBits, formatIpv4, formatIpv6 } from './ip-address-text.ts'

const rejectFlag = 0x200
const anycastFlag = 0x100000
const cacheFlag = 0x1000000
const localFlag = 0x80000000

interface Route {
  readonly device: string
  readonly destination: string
  readonly gateway: string
  readonly priority: number
}

/**
 * Routes of /proc/net/route (IPv4, the main table) and /proc/net/ipv6_route (all tables). The original asks by netlink, which Node.js cannot
 * open: these files do not say who made a route (`proto` is `unknown`), its source address, or the further hops of a route with several.
 */
export function createNetworkRouteCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('net/route')
  const path6 = environment.procPath('net/ipv6_route')

  function collect({ writer }: CollectContext): void {
    const routes = [...readIpv4(), ...readIpv6()]
    writer.family('node_network_route_info', 'A route, as labels.', 'gauge')
    for (const { device, destination, gateway, priority } of routes) {
      const labels = ['dest', destination, 'device', device, 'gw', gateway, 'priority', String(priority)]
      writer.sample(1, [...labels, 'proto', 'unknown', 'src', '', 'weight', ''])
    }
    writer.family('node_network_routes', 'Routes by network device.', 'gauge')
    const counts = new Map<string, number>()
    for (const { device } of routes) counts.set(device, (counts.get(device) ?? 0) + 1)
    for (const [device, count] of counts) writer.sample(count, ['device', device])
  }

  // Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
  function readIpv4(): Route[] {
    const routes: Route[] = []
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
  function readIpv6(): Route[] {
    const routes: Route[] = []
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

  return { name: 'network_route', defaultOn: false, collect }
}
