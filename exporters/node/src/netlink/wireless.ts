import { forEachAttribute, genericProtocol, NetlinkError, NetlinkSocket } from './netlink-socket.ts'
import type { SystemCalls } from './system-calls.ts'

// Generic netlink: ┌ command 1 B ┬ version 1 B ┬ reserved 2 B ┬ attributes ┐. The kernel gives each family a number when it is loaded.
const genericHeaderBytes = 4
const controlFamily = 16
const getFamily = 3
const familyIdAttribute = 1
const familyNameAttribute = 2

// <linux/nl80211.h>
const getInterface = 5
const getStation = 17
const getScan = 32
const indexAttribute = 3
const nameAttribute = 4
const addressAttribute = 6
const stationAttribute = 21
const frequencyAttribute = 38
const bssAttribute = 47
const bssAddress = 1
const bssElements = 6
const bssStatus = 9
/** Element of a beacon with the network's name: ┌ id 1 B ┬ length 1 B ┬ data ┐ */
const ssidElement = 0

/** Numbers of a station by their attributes, each of 4 B. */
const stationNumbers = new Map<
  number,
  'inactiveMs' | 'receivedPackets' | 'transmittedPackets' | 'retries' | 'failed' | 'connectedSeconds' | 'beaconLoss'
>([
  [1, 'inactiveMs'],
  [9, 'receivedPackets'],
  [10, 'transmittedPackets'],
  [11, 'retries'],
  [12, 'failed'],
  [16, 'connectedSeconds'],
  [18, 'beaconLoss'],
])
const receivedBytes32 = 2
const transmittedBytes32 = 3
const signalAttribute = 7
const transmitRate = 8
const receiveRate = 14
const receivedBytes64 = 23
const transmittedBytes64 = 24
const rate16 = 1
const rate32 = 5

/** <errno.h>: no such entry, no such device, not supported. */
const absentErrors = new Set([2, 19, 95])

export interface WirelessInterface {
  readonly index: number
  readonly name: string
  readonly frequencyMegahertz: number
}

export interface WirelessStation {
  address: string
  inactiveMs: number
  connectedSeconds: number
  receivedBytes: number
  transmittedBytes: number
  receivedPackets: number
  transmittedPackets: number
  retries: number
  failed: number
  beaconLoss: number
  signalDbm: number
  receiveBitsPerSecond: number
  transmitBitsPerSecond: number
}

export interface WirelessNetwork {
  readonly address: string
  readonly name: string
  /** 0 authenticated, 1 associated, 2 joined ad hoc. */
  readonly status: number
}

type Turn = () => Promise<void> | undefined

/** Asks nl80211. */
export class Wireless {
  readonly #socket: NetlinkSocket
  readonly #family: number

  private constructor(socket: NetlinkSocket, family: number) {
    this.#socket = socket
    this.#family = family
  }

  /** Undefined if the kernel has no nl80211. Throws a NetlinkError for another refusal. */
  static open(calls: SystemCalls): Wireless | undefined {
    const socket = new NetlinkSocket(calls, genericProtocol)
    let family = 0
    try {
      socket.ask(controlFamily, makeRequest(getFamily, familyNameAttribute, Buffer.from('nl80211\0')), (bytes, start, end) => {
        forEachAttribute(bytes, start + genericHeaderBytes, end, (type, from) => {
          if (type === familyIdAttribute) family = bytes.readUInt16LE(from)
        })
      })
      return new Wireless(socket, family)
    } catch (error) {
      socket.close()
      if (error instanceof NetlinkError && absentErrors.has(error.errno)) return undefined
      throw error
    }
  }

  close(): void {
    this.#socket.close()
  }

  /** Network devices; some virtual ones have no name and are left out. */
  async readInterfaces(turn: Turn): Promise<WirelessInterface[]> {
    const interfaces: WirelessInterface[] = []
    await this.#dump(makeRequest(getInterface), turn, interfaces, (bytes, start, end) => {
      let [index, name, frequencyMegahertz] = [0, '', 0]
      forEachAttribute(bytes, start, end, (type, from, to) => {
        if (type === indexAttribute) index = bytes.readUInt32LE(from)
        else if (type === nameAttribute) name = bytes.toString('utf8', from, to - 1)
        else if (type === frequencyAttribute) frequencyMegahertz = bytes.readUInt32LE(from)
      })
      if (name !== '') interfaces.push({ index, name, frequencyMegahertz })
    })
    return interfaces
  }

  /** The network that the device belongs to; undefined if there is none. */
  async readNetwork(index: number, turn: Turn): Promise<WirelessNetwork | undefined> {
    const networks: WirelessNetwork[] = []
    await this.#dump(requestOf(getScan, index), turn, networks, (bytes, start, end) => {
      forEachAttribute(bytes, start, end, (type, from, to) => {
        if (type === bssAttribute) networks.push(...readNetwork(bytes, from, to))
      })
    })
    return networks[0]
  }

  async readStations(index: number, turn: Turn): Promise<WirelessStation[]> {
    const stations: WirelessStation[] = []
    await this.#dump(requestOf(getStation, index), turn, stations, (bytes, start, end) => {
      const station = emptyStation()
      forEachAttribute(bytes, start, end, (type, from, to) => {
        if (type === addressAttribute) station.address = formatAddress(bytes, from, to)
        else if (type === stationAttribute) readStation(bytes, from, to, station)
      })
      stations.push(station)
    })
    return stations
  }

  /** What a device of another kind does not have is no error. */
  async #dump(request: Buffer, turn: Turn, found: unknown[], take: (bytes: Buffer, start: number, end: number) => void): Promise<void> {
    try {
      const takeMessage = (bytes: Buffer, start: number, end: number): void => take(bytes, start + genericHeaderBytes, end)
      await this.#socket.dump(this.#family, request, takeMessage, turn, () => found.splice(0))
    } catch (error) {
      if (!(error instanceof NetlinkError) || !absentErrors.has(error.errno)) throw error
    }
  }
}

function emptyStation(): WirelessStation {
  const bytes = { receivedBytes: 0, transmittedBytes: 0, receivedPackets: 0, transmittedPackets: 0 }
  const rates = { receiveBitsPerSecond: 0, transmitBitsPerSecond: 0, signalDbm: 0 }
  return { address: '', inactiveMs: 0, connectedSeconds: 0, retries: 0, failed: 0, beaconLoss: 0, ...bytes, ...rates }
}

function readStation(bytes: Buffer, start: number, end: number, station: WirelessStation): void {
  forEachAttribute(bytes, start, end, (type, from, to) => {
    const field = stationNumbers.get(type)
    if (field !== undefined) station[field] = bytes.readUInt32LE(from)
    else if (type === signalAttribute) station.signalDbm = bytes.readInt8(from)
    else if (type === receiveRate) station.receiveBitsPerSecond = readRate(bytes, from, to)
    else if (type === transmitRate) station.transmitBitsPerSecond = readRate(bytes, from, to)
    else if (type === receivedBytes64) station.receivedBytes = Number(bytes.readBigUInt64LE(from))
    else if (type === transmittedBytes64) station.transmittedBytes = Number(bytes.readBigUInt64LE(from))
    // Old kernels have 32 bits only; where there are both, these come first.
    else if (type === receivedBytes32) station.receivedBytes ||= bytes.readUInt32LE(from)
    else if (type === transmittedBytes32) station.transmittedBytes ||= bytes.readUInt32LE(from)
  })
}

/** In 100 kbit/s, of 16 or 32 bits. */
function readRate(bytes: Buffer, start: number, end: number): number {
  let rate = 0
  forEachAttribute(bytes, start, end, (type, from) => {
    if (type === rate32) rate = bytes.readUInt32LE(from)
    else if (type === rate16) rate ||= bytes.readUInt16LE(from)
  })
  return rate * 100_000
}

/** Nothing for a network that was only heard of. */
function readNetwork(bytes: Buffer, start: number, end: number): WirelessNetwork[] {
  let [address, name, status] = ['', '', -1]
  forEachAttribute(bytes, start, end, (type, from, to) => {
    if (type === bssAddress) address = formatAddress(bytes, from, to)
    else if (type === bssStatus) status = bytes.readUInt32LE(from)
    else if (type === bssElements) name = readNetworkName(bytes, from, to)
  })
  return status < 0 ? [] : [{ address, name, status }]
}

function readNetworkName(bytes: Buffer, start: number, end: number): string {
  while (start + 2 <= end) {
    const length = bytes[start + 1]!
    if (bytes[start] === ssidElement) return bytes.toString('utf8', start + 2, Math.min(end, start + 2 + length))
    start += 2 + length
  }
  return ''
}

function formatAddress(bytes: Buffer, start: number, end: number): string {
  return Array.from(bytes.subarray(start, end), (byte) => byte.toString(16).padStart(2, '0')).join(':')
}

function requestOf(command: number, interfaceIndex: number): Buffer {
  const index = Buffer.alloc(4)
  index.writeUInt32LE(interfaceIndex)
  return makeRequest(command, indexAttribute, index)
}

function makeRequest(command: number, attribute?: number, value = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(genericHeaderBytes + (attribute === undefined ? 0 : 4 + value.length))
  bytes[0] = command
  bytes[1] = 1
  if (attribute === undefined) return bytes
  bytes.writeUInt16LE(4 + value.length, genericHeaderBytes)
  bytes.writeUInt16LE(attribute, genericHeaderBytes + 2)
  value.copy(bytes, genericHeaderBytes + 4)
  return bytes
}
