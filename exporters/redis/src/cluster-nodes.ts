import type { RedisClient } from './redis-client.ts'
import { errorOf, textOf } from './resp-value.ts'

/** Nodes of a cluster that are kept; the protocol's own recommendation is a thousand. */
export const nodesMax = 2_000
const slotCount = 16_384
const portMax = 65_535

export interface ClusterNode {
  /** `host:port`, an IPv6 host in brackets. */
  readonly address: string
  /** As `address` with the announced host name, where the node has one. */
  readonly named: string
  readonly isMaster: boolean
  /** Ranges of slots, both ends included. */
  readonly slots: readonly (readonly [number, number])[]
}

/**
 * Reads CLUSTER NODES: `id ip:port@bus[,hostname] flags master ping pong epoch link slot[-slot] …`. Nodes that are failing, unknown or
 * without an address are left out; a node that does not know its own host is the one that was asked, at `ownHost`.
 */
export function parseClusterNodes(text: string, ownHost: string): readonly ClusterNode[] {
  const nodes: ClusterNode[] = []
  for (const line of text.split('\n', nodesMax)) {
    const [, place = '', flags = '', , , , , , ...slots] = line.trim().split(' ')
    const [hostAndPort = '', ...metadata] = place.split(',')
    const address = hostAndPort.replace(/@[0-9]+$/, '')
    const match = /^(.*):([0-9]{1,5})$/.exec(address)
    const port = Number(match?.[2] ?? 0)
    if (match === null || port === 0 || port > portMax || /noaddr|fail(?!\?)|handshake/.test(flags)) continue
    // `ip:port@bus,hostname,shard-id=…`: the name may be empty, what follows has a key.
    const hostname = metadata[0] === undefined || metadata[0].includes('=') ? '' : metadata[0]
    const host = match[1] || hostname || ownHost
    nodes.push({
      address: `${bracket(host)}:${port}`,
      named: `${bracket(hostname || host)}:${port}`,
      isMaster: flags.split(',').includes('master'),
      slots: slots.flatMap((range) => readRange(range)),
    })
  }
  return nodes
}

function bracket(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

function readRange(text: string): readonly (readonly [number, number])[] {
  const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text)
  // `[93-<-id]` is a slot on its way.
  if (match === null) return []
  const first = Number(match[1])
  return [[first, match[2] === undefined ? first : Number(match[2])]]
}

/** The slot of a key: CRC16 (XMODEM) of the part between the first `{` and the next `}`, or of the whole key. */
export function slotOf(key: Uint8Array): number {
  const open = key.indexOf(0x7b)
  const close = open < 0 ? -1 : key.indexOf(0x7d, open + 1)
  const hashed = close > open + 1 ? key.subarray(open + 1, close) : key
  let crc = 0
  for (const byte of hashed) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc % slotCount
}

/** Connections to the masters of a cluster, opened when they are needed and closed together. */
export class ClusterNodes {
  readonly #nodes: readonly ClusterNode[]
  readonly #open: (address: string) => Promise<RedisClient>
  readonly #clients = new Map<string, Promise<RedisClient>>()

  /** `open` connects and authenticates. */
  constructor(nodes: readonly ClusterNode[], open: (address: string) => Promise<RedisClient>) {
    this.#nodes = nodes
    this.#open = open
  }

  /** Asks one node for all. Throws the server's own words. */
  static async discover(client: RedisClient, ownHost: string, open: (address: string) => Promise<RedisClient>): Promise<ClusterNodes> {
    const reply = await client.call('CLUSTER', 'NODES')
    const failure = errorOf(reply)
    if (failure !== undefined) throw new Error(`cannot list the nodes of the cluster: ${failure}`)
    return new ClusterNodes(parseClusterNodes(textOf(reply) ?? '', ownHost), open)
  }

  /** Of all nodes, replicas included: their addresses, or their host names where they have one. */
  addresses(byName: boolean): readonly string[] {
    return this.#nodes.map(({ address, named }) => (byName ? named : address))
  }

  masters(): Promise<readonly RedisClient[]> {
    return Promise.all(
      this.#nodes.filter(({ isMaster, slots }) => isMaster && slots.length > 0).map(({ address }) => this.#clientOf(address)),
    )
  }

  /** The master that has this key. Throws if no node has its slot. */
  async ownerOf(key: Uint8Array): Promise<RedisClient> {
    const slot = slotOf(key)
    const node = this.#nodes.find(({ isMaster, slots }) => isMaster && slots.some(([first, last]) => first <= slot && slot <= last))
    if (node === undefined) throw new Error(`cannot find the owner of slot ${slot}: want a master that serves it, got none`)
    return this.#clientOf(node.address)
  }

  async close(): Promise<void> {
    for (const opened of await Promise.allSettled(this.#clients.values())) if (opened.status === 'fulfilled') opened.value.close()
  }

  #clientOf(address: string): Promise<RedisClient> {
    const known = this.#clients.get(address)
    if (known !== undefined) return known
    const opened = this.#open(address)
    opened.catch(() => undefined)
    this.#clients.set(address, opened)
    return opened
  }
}
