import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { SocketAddress } from 'node:net'
import { compareLabels } from './compare-labels.ts'
import type { NodeEnvironment } from './environment.ts'

const backendLabels = ['local_address', 'local_mark', 'local_port', 'proto', 'remote_address', 'remote_port'] as const
type BackendLabel = (typeof backendLabels)[number]

export const ipvsFlags: readonly FlagSpec[] = [
  {
    name: 'collector.ipvs.backend-labels',
    type: 'string',
    default: 'local_address,local_port,remote_address,remote_port,proto,local_mark',
    help: 'Comma separated list for IPVS backend stats labels.',
  },
]

// Third line of /proc/net/ip_vs_stats, hexadecimal.
const totals: readonly (readonly [name: string, help: string])[] = [
  ['connections_total', 'Connections made.'],
  ['incoming_packets_total', 'Packets that came in.'],
  ['outgoing_packets_total', 'Packets that went out.'],
  ['incoming_bytes_total', 'Bytes that came in.'],
  ['outgoing_bytes_total', 'Bytes that went out.'],
]

interface Backend {
  readonly labels: readonly string[]
  weight: number
  active: number
  inactive: number
}

export function createIpvsCollector(environment: NodeEnvironment): Collector {
  const { files } = environment
  const shownLabels = parseLabels(environment.flags.string('collector.ipvs.backend-labels'))

  function collect({ writer }: CollectContext): void {
    const sums = parseTotals(readText('net/ip_vs_stats'))
    totals.forEach(([name, help], index) => {
      writer.family(`node_ipvs_${name}`, help, 'counter')
      writer.sample(sums[index]!)
    })
    const backends = parseBackends(readText('net/ip_vs'), shownLabels)
    writer.family('node_ipvs_backend_connections_active', 'Active connections of the backend.', 'gauge')
    for (const { active, labels } of backends) writer.sample(active, labels)
    writer.family('node_ipvs_backend_connections_inactive', 'Inactive connections of the backend.', 'gauge')
    for (const { inactive, labels } of backends) writer.sample(inactive, labels)
    writer.family('node_ipvs_backend_weight', 'Weight of the backend.', 'gauge')
    for (const { labels, weight } of backends) writer.sample(weight, labels)
  }

  function readText(name: string): string {
    try {
      return files.read(environment.procPath(name)).toString('latin1')
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error
      throw new NoDataError('IPVS is not loaded', { cause: error })
    }
  }

  return { name: 'ipvs', defaultOn: true, collect }
}

/** Throws for a name that is no label. */
function parseLabels(list: string): BackendLabel[] {
  const given = list.split(',').filter((label) => label !== '')
  const unknown = given.filter((label) => !backendLabels.some((known) => known === label))
  if (unknown.length > 0) {
    throw new Error(`cannot read flag --collector.ipvs.backend-labels: want some of ${backendLabels.join()}, got ${unknown.join()}`)
  }
  return backendLabels.filter((label) => given.includes(label))
}

function parseTotals(text: string): number[] {
  const line = text.split('\n')[2] ?? ''
  const fields = line.trim().split(/\s+/)
  const numbers = fields.map((field) => (/^[0-9A-Fa-f]+$/.test(field) ? Number(`0x${field}`) : NaN))
  if (numbers.length !== totals.length || numbers.some((number) => Number.isNaN(number))) {
    throw new Error(`cannot read ip_vs_stats: want ${totals.length} hexadecimal numbers in the third line, got ${JSON.stringify(line)}`)
  }
  return numbers
}

/**
 * Services (`TCP C0A80016:0CEA wlc`, `FWM 10001000 wlc`), each with its backends behind it (`-> C0A85216:0CEA Tunnel 100 248 2`). Backends
 * that differ in no label shown are added up.
 */
export function parseBackends(text: string, shownLabels: readonly BackendLabel[]): Backend[] {
  const backends = new Map<string, Backend>()
  const values: Record<BackendLabel, string> = {
    local_address: '',
    local_mark: '',
    local_port: '0',
    proto: '',
    remote_address: '',
    remote_port: '',
  }
  for (const line of text.split('\n')) {
    const [first = '', second = '', , weight = '', active = '', inactive = ''] = line.trim().split(/\s+/)
    if (first === 'TCP' || first === 'UDP' || first === 'SCTP') {
      const { address, port } = parseAddress(second)
      Object.assign(values, { proto: first, local_mark: '', local_address: address, local_port: port })
    } else if (first === 'FWM') {
      Object.assign(values, { proto: first, local_mark: second, local_address: '', local_port: '0' })
    } else if (first === '->' && second !== 'RemoteAddress:Port') {
      const { address, port } = parseAddress(second)
      Object.assign(values, { remote_address: address, remote_port: port })
      const labels = shownLabels.flatMap((label) => [label, values[label]])
      const key = labels.join('\0')
      const backend = backends.get(key) ?? { labels, weight: 0, active: 0, inactive: 0 }
      backend.weight += parseCount(weight, line)
      backend.active += parseCount(active, line)
      backend.inactive += parseCount(inactive, line)
      backends.set(key, backend)
    }
  }
  return [...backends.values()].sort((a, b) => compareLabels(a.labels, b.labels))
}

/** `C0A80016:0CEA` or `[2001:0db8:…]:0CEA`: the address as usual, the port in decimal. */
function parseAddress(text: string): { readonly address: string; readonly port: string } {
  const split = text.lastIndexOf(':')
  const host = text.slice(0, Math.max(split, 0))
  const port = text.slice(split + 1)
  const isIpv4 = /^[0-9A-Fa-f]{8}$/.test(host)
  const isIpv6 = /^\[[0-9A-Fa-f:]{39}\]$/.test(host)
  if (!/^[0-9A-Fa-f]{4}$/.test(port) || !(isIpv4 || isIpv6))
    throw new Error(`cannot read ip_vs: want address:port, got ${JSON.stringify(text)}`)
  const address = isIpv4
    ? [0, 2, 4, 6].map((offset) => Number.parseInt(host.slice(offset, offset + 2), 16)).join('.')
    : new SocketAddress({ address: host.slice(1, -1), family: 'ipv6' }).address
  return { address, port: String(Number.parseInt(port, 16)) }
}

function parseCount(text: string, line: string): number {
  if (!/^[0-9]+$/.test(text)) throw new Error(`cannot read ip_vs: want weight and two numbers, got ${JSON.stringify(line)}`)
  return Number(text)
}
