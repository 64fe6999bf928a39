import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DbusConnection } from '@narthex/exporter-node/dbus/connection'
import { readInterfaceNames } from '@narthex/exporter-node/netlink/interface-names'
import { NetlinkSocket, routeProtocol } from '@narthex/exporter-node/netlink/netlink-socket'
import { readRootDisciplines } from '@narthex/exporter-node/netlink/queueing-disciplines'
import { readRoutes } from '@narthex/exporter-node/netlink/route-table'
import type { SystemCalls } from '@narthex/exporter-node/netlink/system-calls'
import { ipv4Family, readTcpSockets } from '@narthex/exporter-node/netlink/tcp-sockets'
import { Wireless } from '@narthex/exporter-node/netlink/wireless'
import { collectorFactories } from '@narthex/exporter-node/collectors'
import { createNodeExporter } from '@narthex/exporter-node/node-exporter'
import { optionalCollectorFactories } from '@narthex/exporter-node/optional-collectors'
import { SystemdReader } from '@narthex/exporter-node/systemd-reader'
import { unpackTestTrees } from '@narthex/exporter-node/test-tree'
import { parseXmlRpcAnswer } from '@narthex/exporter-node/xml-rpc-answer'
import { silentLogger } from '@narthex/service/logger'
import { ExporterOfFiles, type ExporterTree } from '../exporter-of-files.ts'
import { decode, encode, type FuzzTarget } from '../fuzz-target.ts'
import { mutate } from '../mutate.ts'

/** A bus that lets everybody in, says the input and ends. */
class RudeBus {
  #directory = ''
  #server: Server | undefined
  #said: Uint8Array = new Uint8Array(0)

  async say(said: Uint8Array): Promise<string> {
    this.#said = said
    if (this.#server === undefined) {
      this.#directory = mkdtempSync(join(tmpdir(), 'narthex-fuzz-'))
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        socket.once('data', () => {
          socket.write('OK 1234deadbeef\r\n')
          socket.once('data', () => {
            socket.resume()
            socket.end(this.#said)
          })
        })
      })
      this.#server = server
      await new Promise<void>((resolve) => server.listen(join(this.#directory, 's'), resolve))
    }
    return join(this.#directory, 's')
  }

  close(): void {
    this.#server?.close()
    this.#server = undefined
    if (this.#directory !== '') rmSync(this.#directory, { recursive: true, force: true })
  }
}

const bus = new RudeBus()
/** The replies of one scrape, in which the calls are numbered from 1. */
const replies = (...bodies: readonly (readonly [signature: string, body: readonly number[]])[]): Uint8Array =>
  Uint8Array.from(bodies.flatMap(([signature, body], index) => reply(2, index + 1, signature, body)))
const padded = (bytes: readonly number[], size: number): number[] => [
  ...bytes,
  ...Array<number>((size - (bytes.length % size)) % size).fill(0),
]
const word = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24]
const text = (value: string): number[] => [...word(Buffer.byteLength(value)), ...encode(value), 0]
const textVariant = (value: string): number[] => [...padded([1, 0x73, 0], 4), ...text(value)]

function reply(type: number, serial: number, signature: string, body: readonly number[]): number[] {
  const fields = [
    ...padded([5, 1, 0x75, 0, ...word(serial)], 8),
    ...padded([4, 1, 0x73, 0, ...text('a.b')], 8),
    ...[8, 1, 0x67, 0, signature.length, ...encode(signature), 0],
  ]
  return [...padded([0x6c, type, 1, 1, ...word(body.length), ...word(99), ...word(fields.length), ...fields], 8), ...body]
}

/** The array of `ListUnits` with one unit. */
function unitList(): number[] {
  let unit: number[] = []
  for (const value of ['a.service', 'd', 'loaded', 'active', 'running', '', '/u/a']) unit = [...padded(unit, 4), ...text(value)]
  unit = [...padded(unit, 4), ...word(0)]
  for (const value of ['', '/']) unit = [...padded(unit, 4), ...text(value)]
  return [...padded(word(unit.length), 8), ...unit]
}

const property = (value: string): readonly [string, number[]] => ['v', textVariant(value)]
const greeting = [['s', text(':1.7')], property('252.3'), property(''), property('1'), ['a(ssssssouso)', unitList()]] as const

/** A kernel that gives the input as its only datagram, again and again for whoever asks. */
function kernelOf(bytes: Uint8Array): SystemCalls {
  let isGiven = false
  return {
    socket: () => 7,
    send: () => {
      isGiven = false
      return 0
    },
    recv: (_, buffer) => {
      if (isGiven) return -1
      isGiven = true
      return Buffer.from(bytes).copy(buffer)
    },
    ioctl: () => -1,
    close: () => 0,
    openPerfEvent: () => -1,
    addressOf: () => 0n,
    errno: () => 11,
  }
}

function message(type: number, ...payload: readonly number[]): number[] {
  return padded([...word(16 + payload.length), type, 0, 2, 0, ...word(1), ...word(0), ...payload], 4)
}
const attribute = (type: number, ...value: readonly number[]): number[] => padded([4 + value.length, 0, type, 0, ...value], 4)
const zeros = (count: number): number[] => Array<number>(count).fill(0)
const done = message(3, ...word(0))
const station = [...attribute(1, ...word(9)), ...attribute(7, 0xce), ...attribute(8, ...attribute(5, ...word(7)))]
const network = [...attribute(1, 1, 2, 3, 4, 5, 6), ...attribute(6, 0, 2, 0x61, 0x62), ...attribute(9, ...word(1))]

const noTurn = (): undefined => undefined

async function readNetlink(bytes: Uint8Array): Promise<void> {
  const calls = kernelOf(bytes)
  const readers: (() => unknown)[] = [
    () =>
      readTcpSockets(
        calls,
        ipv4Family,
        () => undefined,
        noTurn,
        () => undefined,
      ),
    () => readRoutes(new NetlinkSocket(calls, routeProtocol), noTurn),
    () => readRootDisciplines(new NetlinkSocket(calls, routeProtocol), noTurn),
    () => readInterfaceNames(new NetlinkSocket(calls, routeProtocol), noTurn),
    async () => {
      const wireless = Wireless.open(calls)
      await wireless?.readInterfaces(noTurn)
    },
  ]
  // What one of them reads is refused by the others.
  for (const read of readers) {
    try {
      await read()
    } catch (error) {
      if (!(error instanceof Error) || !netlinkRefusals.includes(error.name)) throw error
    }
  }
}

/** Whoever reads beyond a message's end is told so by the buffer. */
const netlinkRefusals = ['Error', 'NetlinkError', 'RangeError']

/** Of the optional collectors those that read no more than files. */
const filesAlone = new Set('drbd cgroups interrupts ksmd lnstat meminfo_numa mountstats processes slabinfo softirqs zoneinfo'.split(' '))
const fileFlags = { 'collector.disable-defaults': true, 'collector.cpu.info': true, 'collector.netdev.netlink': false }
/** Files and the collectors that read them. */
const fuzzedFiles: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    cpuinfo: ['cpu'],
    diskstats: ['diskstats'],
    loadavg: ['loadavg'],
    mdstat: ['mdadm'],
    meminfo: ['meminfo'],
    'net/arp': ['arp'],
    'net/dev': ['netdev'],
    'net/netstat': ['netstat'],
    'net/rpc/nfs': ['nfs'],
    'net/rpc/nfsd': ['nfsd'],
    'net/snmp': ['netstat'],
    'net/snmp6': ['netstat'],
    'net/sockstat': ['sockstat'],
    'net/softnet_stat': ['softnet'],
    'net/stat/nf_conntrack': ['conntrack', 'lnstat'],
    'net/ip_vs': ['ipvs'],
    'net/ip_vs_stats': ['ipvs'],
    'net/udp': ['udp_queues'],
    'pressure/io': ['pressure'],
    schedstat: ['schedstat'],
    stat: ['cpu', 'stat'],
    vmstat: ['vmstat'],
  }).map(([name, readers]) => [`proc/${name}`, readers]),
)

const startFileExporter = (): ExporterTree => {
  const trees = unpackTestTrees()
  const { directory, flags } = trees
  const readers = [...collectorFactories.keys()].filter((name) => !['filesystem', 'os', 'timex', 'time', 'uname'].includes(name))
  const others = [...optionalCollectorFactories.keys()].filter((name) => filesAlone.has(name))
  const exporter = createNodeExporter({
    flags: { ...flags, ...Object.fromEntries([...readers, ...others].map((name) => [`collector.${name}`, true])), ...fileFlags },
    log: silentLogger,
    buildInfo: { version: 'test', revision: 'r', branch: 'b' },
  })
  return { directory, exporter, remove: () => trees.remove() }
}

const fileExporter = new ExporterOfFiles([...fuzzedFiles.keys()], startFileExporter, (name) => fuzzedFiles.get(name)!)

export const nodeTargets: readonly FuzzTarget[] = [
  {
    name: 'dbus-replies',
    seeds: [
      replies(...greeting),
      replies(...greeting, property('running'), property('simple')),
      Uint8Array.from([...replies(...greeting.slice(0, 4)), ...reply(3, 5, 's', text('no'))]),
    ],
    // Whoever reads beyond a message's end is told so by the buffer.
    refusals: ['Error', 'DbusError', 'RangeError'],
    share: 200,
    async read(bytes) {
      const connection = await DbusConnection.open({ socketPath: await bus.say(bytes), isBus: true, signal: AbortSignal.timeout(10_000) })
      const wants = { hasTasks: true, hasRestarts: true, hasStartTimes: true, isWanted: () => true }
      try {
        await new SystemdReader({ ...wants, log: silentLogger, nowMs: () => 0 }).read(connection)
      } catch (error) {
        // A peer that goes away in the middle is what all seeds do.
        if (!(error instanceof Error && error.message.includes('the peer closed the connection'))) throw error
      } finally {
        connection.close()
      }
    },
    close: () => bus.close(),
  },
  {
    name: 'netlink-messages',
    seeds: [
      Uint8Array.from([...message(20, 2, 1, ...zeros(54), ...word(3), ...word(4), ...zeros(8)), ...done]),
      Uint8Array.from([
        ...message(24, 2, 24, 0, 0, 254, 3, 0, 1, ...word(0), ...attribute(1, 10, 0, 0, 0), ...attribute(4, ...word(2))),
        ...message(24, 2, 0, 0, 0, 254, 3, 0, 1, ...word(0), ...attribute(9, ...[16, 0, 0, 1, ...word(3)], ...attribute(5, 10, 0, 0, 1))),
        ...done,
      ]),
      Uint8Array.from([
        ...message(
          36,
          ...zeros(12),
          ...word(0xffffffff),
          ...word(0),
          ...attribute(1, 0x66, 0x71, 0),
          ...attribute(7, ...attribute(1, ...zeros(12))),
        ),
        ...done,
      ]),
      Uint8Array.from([...message(16, ...zeros(16), ...attribute(3, 0x6c, 0x6f, 0)), ...done]),
      Uint8Array.from([
        ...message(28, ...zeros(4), ...attribute(1, 28, 0), ...attribute(3, ...word(5)), ...attribute(4, 0x77, 0)),
        ...message(28, ...zeros(4), ...attribute(6, 1, 2, 3, 4, 5, 6), ...attribute(21, ...station), ...attribute(47, ...network)),
        ...done,
      ]),
    ],
    refusals: [],
    read: readNetlink,
  },
  {
    name: 'xml-rpc',
    seeds: [
      encode(
        '<?xml version="1.0"?><methodResponse><params><param><value><array><data><value><struct><member><name>name</name><value>' +
          '<string>a &amp; &#98;</string></value></member><member><name>state</name><value><int>20</int></value></member></struct>' +
          '</value><value><nil/></value></data></array></value></param></params></methodResponse>',
      ),
      encode('<methodResponse><params><param><value><double>1.5</double></value></param></params></methodResponse>'),
    ],
    refusals: ['Error'],
    read: (bytes) => void parseXmlRpcAnswer(decode(bytes)),
  },
  {
    name: 'kernel-files',
    get seeds() {
      return fileExporter.seeds()
    },
    refusals: [],
    share: 150,
    make(random) {
      const seeds = fileExporter.seeds()
      const seed = seeds[random.below(seeds.length)]!
      return Uint8Array.from([seed[0]!, ...mutate([seed.subarray(1)], random)])
    },
    read: (bytes) => fileExporter.scrape(bytes),
    close: () => fileExporter.close(),
  },
]
