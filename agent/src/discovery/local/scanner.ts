import { chooseListeners, chooseSockets, findRuleByPort } from './known-services.ts'
import type { ServiceRule } from './known-services.ts'
import { ProcFiles, WorkSlices } from './proc-files.ts'
import { readStat } from './process-stat.ts'
import { ProcessTable } from './process-table.ts'
import type { ProcessEntry } from './process-table.ts'
import { SocketOwners } from './socket-owners.ts'
import { createSocketTable, updateSocketTable } from './socket-tables.ts'
import type { SocketTable, TcpListener, UnixListener } from './socket-tables.ts'

/** Network namespaces whose tables are read. */
export const namespacesMax = 1024
/** Services of one scan; a machine with more has a fork bomb. */
export const servicesMax = 1024

/** A process that does not listen after this time is not about to. */
const startingMs = 60_000

/** A process (or, without the right to see whose it is, a port) that a rule knows. */
export interface FoundService {
  /** Names one start of the process: its number and start time, or the socket where the process may not be known. */
  readonly key: string
  readonly rule: ServiceRule
  /** Undefined: the port is known, its process is not. */
  readonly process: ProcessEntry | undefined
  /** Milliseconds since 1970; 0 when unknown. */
  readonly startTimeMs: number
  readonly matchedBy: 'name' | 'port'
  readonly tcp: readonly TcpListener[]
  readonly unix: readonly UnixListener[]
  /** Whether it is in the network namespace of this process, so that its addresses are ours. */
  readonly isOwnNamespace: boolean
}

export interface ScanResult {
  readonly services: readonly FoundService[]
  /** TCP listeners of this network namespace, known or not. */
  readonly ownTcp: readonly TcpListener[]
  /** A process with a known name does not listen yet: worth another look soon. */
  readonly isAnyStarting: boolean
  readonly durationMs: number
  /** Longest time for which nothing else ran. */
  readonly longestSliceMs: number
}

interface Namespace {
  readonly table: SocketTable
  /** A process through which its tables are read. */
  readonly viaPid: number | undefined
  readonly isOwn: boolean
}

/** Finds known services by their listening sockets; keeps what does not change from scan to scan. */
export class Scanner {
  readonly #files: ProcFiles
  readonly #processes: ProcessTable
  readonly #owners: SocketOwners
  readonly #tables = new Map<string, SocketTable>()
  readonly #ownPid: number
  readonly #ownNetns: string

  /** `procfs` is where the proc file system is mounted; services of process `ownPid` are left out, by default this one. */
  constructor(procfs: string, ownPid?: number) {
    this.#files = new ProcFiles(procfs)
    this.#processes = new ProcessTable(this.#files)
    this.#owners = new SocketOwners(this.#files)
    this.#ownPid = ownPid ?? Number(this.#files.readLink('self') ?? -1)
    this.#ownNetns = this.#files.readLink('self/ns/net') ?? ''
  }

  /** False where there is no proc file system. */
  get isReadable(): boolean {
    return this.#ownNetns !== ''
  }

  get files(): ProcFiles {
    return this.#files
  }

  /** A cheap look between scans: has a process with a known name started? */
  hasNewService(): boolean {
    return this.#processes.hasNewService()
  }

  async scan(): Promise<ScanResult> {
    const startMs = performance.now()
    const slices = new WorkSlices()
    await this.#processes.update(slices)
    const namespaces = await this.#readNamespaces(slices)
    const listening = new Set<number>()
    for (const { table } of namespaces.values()) for (const inode of inodesOf(table)) listening.add(inode)
    this.#owners.prune(listening, this.#processes.processes)
    const services: FoundService[] = []
    let isAnyStarting = false
    for (const [netns, namespace] of namespaces) {
      const found = await this.#findServices(netns, namespace, slices)
      services.push(...found.services.slice(0, servicesMax - services.length))
      isAnyStarting ||= found.isAnyStarting
    }
    const own = [...namespaces.values()].find(({ isOwn }) => isOwn)
    await slices.rest()
    return {
      services,
      ownTcp: own === undefined ? [] : [...own.table.tcp.values()],
      isAnyStarting,
      durationMs: performance.now() - startMs,
      longestSliceMs: slices.longestMs,
    }
  }

  async #readNamespaces(slices: WorkSlices): Promise<Map<string, Namespace>> {
    // Our own namespace can always be read; another one through any of its processes.
    const viaPids = new Map<string, number | undefined>([[this.#ownNetns, undefined]])
    for (const { pid, netns } of this.#processes.processes.values()) {
      if (netns !== undefined && !viaPids.has(netns) && viaPids.size < namespacesMax) viaPids.set(netns, pid)
    }
    const namespaces = new Map<string, Namespace>()
    for (const [netns, viaPid] of viaPids) {
      if (slices.isOver) await slices.rest()
      const table = this.#tables.get(netns) ?? createSocketTable()
      if (!updateSocketTable(table, this.#files, viaPid === undefined ? 'self/net' : `${viaPid}/net`)) continue
      this.#tables.set(netns, table)
      namespaces.set(netns, { table, viaPid, isOwn: netns === this.#ownNetns })
    }
    for (const netns of this.#tables.keys()) if (!namespaces.has(netns)) this.#tables.delete(netns)
    return namespaces
  }

  async #findServices(netns: string, { table, isOwn }: Namespace, slices: WorkSlices) {
    // A process whose namespace may not be known is taken to be in ours.
    const local = [...this.#processes.processes.values()].filter((entry) => entry.netns === netns || (isOwn && entry.netns === undefined))
    const named = local.filter(({ rule, pid }) => rule !== undefined && pid !== this.#ownPid)
    // The oldest first: where a master and its workers hold one socket, it is the master's.
    named.sort((a, b) => a.pid - b.pid)
    if (named.length > 0) await this.#owners.findNamed(inodesOf(table), named, slices)
    const onKnownPorts = [...table.tcp.values()].filter(({ port }) => findRuleByPort(port, '', '') !== undefined).map(({ inode }) => inode)
    if (onKnownPorts.length > 0) await this.#owners.findAny(onKnownPorts, local, slices)
    const services = groupByProcess(table, (inode) => this.#owners.ownerOf(inode)).flatMap(({ pid, tcp, unix }) =>
      this.#describe(pid, tcp, unix, isOwn),
    )
    const listeners = new Set(services.map(({ process }) => process?.pid))
    // Workers of a master that listens are not starting.
    const isAnyStarting = named.some(
      ({ pid, comm, firstSeenMs }) =>
        performance.now() - firstSeenMs < startingMs && !listeners.has(pid) && ![...listeners].some((other) => this.#hasName(other, comm)),
    )
    return { services, isAnyStarting }
  }

  #hasName(pid: number | undefined, comm: string): boolean {
    return pid !== undefined && this.#processes.processes.get(pid)?.comm === comm
  }

  #describe(pid: number | undefined, tcp: TcpListener[], unix: UnixListener[], isOwnNamespace: boolean): FoundService[] {
    if (pid === undefined) {
      const unowned = tcp.filter(({ inode }) => this.#owners.isUnowned(inode))
      return describePorts(undefined, unowned, isOwnNamespace)
    }
    const entry = this.#processes.processes.get(pid)
    if (entry === undefined || pid === this.#ownPid) return []
    if (entry.rule === undefined) return describePorts(this.#withStart(entry), tcp, isOwnNamespace)
    const { rule } = entry
    const chosen = chooseListeners(rule, tcp)
    const sockets = chooseSockets(rule, unix)
    if (chosen.length === 0 && sockets.length === 0) return []
    return [{ ...this.#withStart(entry), rule, matchedBy: 'name', tcp: chosen, unix: sockets, isOwnNamespace }]
  }

  #withStart(entry: ProcessEntry): { key: string; process: ProcessEntry; startTimeMs: number } {
    const stat = readStat(this.#files, entry.pid)
    return { key: `${entry.pid}/${stat?.startTicks ?? 0}`, process: entry, startTimeMs: stat?.startTimeMs ?? 0 }
  }
}

/** Services by port alone: listeners of one process on one port (IPv4 and IPv6) are one service. */
function describePorts(
  owner: { key: string; process: ProcessEntry; startTimeMs: number } | undefined,
  tcp: readonly TcpListener[],
  isOwnNamespace: boolean,
): FoundService[] {
  const byPort = new Map<number, TcpListener[]>()
  for (const listener of tcp) byPort.set(listener.port, [...(byPort.get(listener.port) ?? []), listener])
  return [...byPort].flatMap(([port, listeners]): FoundService[] => {
    const rule = findRuleByPort(port, owner?.process.comm ?? '', owner?.process.exeName ?? '')
    if (rule === undefined) return []
    const key = owner === undefined ? `socket/${listeners[0]!.inode}` : `${owner.key}/${port}`
    const base = { process: owner?.process, startTimeMs: owner?.startTimeMs ?? 0, unix: [], isOwnNamespace }
    return [{ ...base, key, rule, matchedBy: 'port', tcp: listeners }]
  })
}

function* inodesOf(table: SocketTable): Iterable<number> {
  yield* table.tcp.keys()
  yield* table.unix.keys()
}

interface ProcessSockets {
  readonly pid: number | undefined
  readonly tcp: TcpListener[]
  readonly unix: UnixListener[]
}

function groupByProcess(table: SocketTable, ownerOf: (inode: number) => number | undefined): ProcessSockets[] {
  const groups = new Map<number | undefined, ProcessSockets>()
  const groupOf = (inode: number): ProcessSockets => {
    const pid = ownerOf(inode)
    const group = groups.get(pid) ?? { pid, tcp: [], unix: [] }
    groups.set(pid, group)
    return group
  }
  for (const listener of table.tcp.values()) groupOf(listener.inode).tcp.push(listener)
  for (const listener of table.unix.values()) groupOf(listener.inode).unix.push(listener)
  return [...groups.values()]
}
