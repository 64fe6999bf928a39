import { formatIpv6 } from '../ip-address-text.ts'
import { forEachAttribute, type NetlinkSocket } from './netlink-socket.ts'

const getRouteType = 26
/** struct rtmsg: ┌ family 1 B ┬ destination bits 1 B ┬ source bits 1 B ┬ tos 1 B ┬ table 1 B ┬ protocol 1 B ┬ scope 1 B ┬ type 1 B ┬ flags 4 B ┐ */
const routeBytes = 12
const unicast = 1
const destinationAttribute = 1
const outputAttribute = 4
const gatewayAttribute = 5
const priorityAttribute = 6
const preferredSourceAttribute = 7
const multipathAttribute = 9
/** struct rtnexthop: ┌ length 2 B ┬ flags 1 B ┬ hops 1 B ┬ interface index 4 B ┬ attributes ┐ */
const hopBytes = 8

export interface RouteHop {
  readonly interfaceIndex: number
  /** '' if there is none. */
  readonly gateway: string
  /** '' for the only hop of a route. */
  readonly weight: string
}

export interface UnicastRoute {
  /** `192.0.2.0/24`, `default` */
  readonly destination: string
  readonly source: string
  readonly priority: number
  readonly protocol: number
  readonly hops: readonly RouteHop[]
}

/** All unicast routes, IPv4 and IPv6, of all tables. */
export async function readRoutes(socket: NetlinkSocket, turn: () => Promise<void> | undefined): Promise<UnicastRoute[]> {
  let routes: UnicastRoute[] = []
  await socket.dump(
    getRouteType,
    Buffer.alloc(routeBytes),
    (bytes, start, end) => {
      if (bytes[start + 7] === unicast) routes.push(readRoute(bytes, start, end))
    },
    turn,
    () => (routes = []),
  )
  return routes
}

function readRoute(bytes: Buffer, start: number, end: number): UnicastRoute {
  const prefixBits = bytes[start + 1]!
  let destination = ''
  let source = ''
  let gateway = ''
  let priority = 0
  let interfaceIndex = 0
  let multipath: RouteHop[] = []
  forEachAttribute(bytes, start + routeBytes, end, (type, from, to) => {
    if (type === destinationAttribute) destination = formatAddress(bytes, from, to)
    else if (type === preferredSourceAttribute) source = formatAddress(bytes, from, to)
    else if (type === gatewayAttribute) gateway = formatAddress(bytes, from, to)
    else if (type === priorityAttribute) priority = bytes.readUInt32LE(from)
    else if (type === outputAttribute) interfaceIndex = bytes.readUInt32LE(from)
    else if (type === multipathAttribute) multipath = readHops(bytes, from, to)
  })
  const hops = multipath.length > 0 ? multipath : [{ interfaceIndex, gateway, weight: '' }]
  const text = prefixBits === 0 ? 'default' : `${destination}/${prefixBits}`
  return { destination: text, source, priority, protocol: bytes[start + 5]!, hops }
}

function readHops(bytes: Buffer, start: number, end: number): RouteHop[] {
  const hops: RouteHop[] = []
  while (start + hopBytes <= end) {
    const length = bytes.readUInt16LE(start)
    if (length < hopBytes || start + length > end) break
    let gateway = ''
    forEachAttribute(bytes, start + hopBytes, start + length, (type, from, to) => {
      if (type === gatewayAttribute) gateway = formatAddress(bytes, from, to)
    })
    // The kernel keeps the weight less one.
    hops.push({ interfaceIndex: bytes.readInt32LE(start + 4), gateway, weight: String(bytes[start + 3]! + 1) })
    start += Math.ceil(length / 4) * 4
  }
  return hops
}

function formatAddress(bytes: Buffer, start: number, end: number): string {
  return end - start === 4 ? bytes.subarray(start, end).join('.') : formatIpv6(bytes.toString('hex', start, end))
}
