import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'
import { EventLoopTurn } from './event-loop-turn.ts'
import { KernelCalls, type LoadSystemCalls } from './kernel-calls.ts'
import { readInterfaceNames } from './netlink/interface-names.ts'
import { NetlinkSocket, routeProtocol } from './netlink/netlink-socket.ts'
import { readRoutes } from './netlink/route-table.ts'
import type { SystemCalls } from './netlink/system-calls.ts'
import { readRouteTables } from './route-table-files.ts'

/** Names of <linux/rtnetlink.h>. */
const protocolNames = new Map<number, string>([
  ...'unspec redirect kernel boot static'.split(' ').map((name, number) => [number, name] as const),
  ...'gated ra mrt zebra bird dnrouted xorp ntk dhcp mrouted'.split(' ').map((name, index) => [index + 8, name] as const),
  [42, 'babel'],
  ...'bgp isis ospf rip'.split(' ').map((name, index) => [index + 186, name] as const),
  [192, 'eigrp'],
])

interface Route {
  readonly device: string
  /** Labels but `device`, in the order of their names. */
  readonly destination: string
  readonly gateway: string
  readonly priority: number
  readonly protocol: string
  readonly source: string
  readonly weight: string
}

/**
 * Asks by netlink as the original does. Without foreign functions /proc/net: its files do not say who made a route (`proto` is `unknown`),
 * its source address, further tables of IPv4, or the further hops of a route with several.
 */
export function createNetworkRouteCollector(environment: NodeEnvironment, _?: unknown, load?: LoadSystemCalls): Collector {
  const calls = new KernelCalls('network_route', environment.log, load)

  async function collect({ writer }: CollectContext): Promise<void> {
    const found = calls.find()
    const routes = found === undefined ? readFiles() : await askKernel(found)
    writer.family('node_network_route_info', 'A route, as labels.', 'gauge')
    for (const { device, destination, gateway, priority, protocol, source, weight } of routes) {
      const labels = ['dest', destination, 'device', device, 'gw', gateway, 'priority', String(priority)]
      writer.sample(1, [...labels, 'proto', protocol, 'src', source, 'weight', weight])
    }
    writer.family('node_network_routes', 'Routes by network device.', 'gauge')
    const counts = new Map<string, number>()
    for (const { device } of routes) counts.set(device, (counts.get(device) ?? 0) + 1)
    for (const [device, count] of counts) writer.sample(count, ['device', device])
  }

  async function askKernel(found: SystemCalls): Promise<Route[]> {
    const socket = new NetlinkSocket(found, routeProtocol)
    try {
      const turn = EventLoopTurn.start()
      const names = await readInterfaceNames(socket, turn)
      const routes = await readRoutes(socket, turn)
      return routes.flatMap(({ destination, hops, priority, protocol: number, source }) => {
        const protocol = protocolNames.get(number) ?? 'unknown'
        return hops.map(({ gateway, interfaceIndex, weight }): Route => {
          return { device: names.get(interfaceIndex) ?? '', destination, gateway, priority, protocol, source, weight }
        })
      })
    } finally {
      socket.close()
    }
  }

  function readFiles(): Route[] {
    const { files, scanner } = environment
    const rows = readRouteTables(files, scanner, environment.procPath('net/route'), environment.procPath('net/ipv6_route'))
    return rows.map((row) => ({ ...row, protocol: 'unknown', source: '', weight: '' }))
  }

  return { name: 'network_route', defaultOn: false, collect }
}
