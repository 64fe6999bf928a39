import type { ProcFiles } from './proc-files.ts'

/** A TCP socket that listens. */
export interface TcpListener {
  readonly inode: number
  /** As text; `0.0.0.0` and `::` are every address of its network namespace. */
  readonly host: string
  readonly port: number
}

/** A unix socket that listens and has a name in the file system. */
export interface UnixListener {
  readonly inode: number
  readonly path: string
}

/** Listeners of one network namespace, by inode. */
export interface SocketTable {
  readonly tcp: Map<number, TcpListener>
  readonly unix: Map<number, UnixListener>
}

const space = 32
const lineFeed = 10
const colon = 58
const listenState = 0x0a
const lineBytesMax = 8192

export function createSocketTable(): SocketTable {
  return { tcp: new Map(), unix: new Map() }
}

/**
 * Brings a table up to date from `<directory>/tcp`, `tcp6` and `unix`; listeners that are still there keep their objects. False when none of
 * the files can be read.
 */
export function updateSocketTable(table: SocketTable, files: ProcFiles, directory: string): boolean {
  const seen = new Set<number>()
  const isTcp = readTcp(table, files, `${directory}/tcp`, seen)
  const isTcp6 = readTcp(table, files, `${directory}/tcp6`, seen)
  const isUnix = readUnix(table, files, `${directory}/unix`, seen)
  for (const inode of table.tcp.keys()) if (!seen.has(inode)) table.tcp.delete(inode)
  for (const inode of table.unix.keys()) if (!seen.has(inode)) table.unix.delete(inode)
  return isTcp || isTcp6 || isUnix
}

// The kernel lists the listeners first: a piece without any ends the reading, so that the thousands of connections behind are never printed.
function readTcp(table: SocketTable, files: ProcFiles, path: string, seen: Set<number>): boolean {
  const rest = new LineRest()
  return files.readChunks(
    path,
    (chunk) => {
      let rows = 0
      let listeners = 0
      rest.eachLine(chunk, (bytes, start, end) => {
        rows++
        if (takeTcpRow(table, bytes, start, end, seen)) listeners++
      })
      return rows <= 1 || listeners > 0
    },
    true,
  )
}

// ` sl: local:port remote:port st tx:rx tr:when retrnsmt uid timeout inode …`, all but sl, uid, timeout and inode hexadecimal
function takeTcpRow(table: SocketTable, bytes: Uint8Array, start: number, end: number, seen: Set<number>): boolean {
  let at = start
  while (at < end && bytes[at] !== colon) at++
  const addressStart = skipSpaces(bytes, at + 1, end)
  let addressEnd = addressStart
  while (addressEnd < end && bytes[addressEnd] !== colon) addressEnd++
  const portEnd = fieldEnd(bytes, addressEnd, end)
  const remoteStart = skipSpaces(bytes, portEnd, end)
  const stateStart = skipSpaces(bytes, fieldEnd(bytes, remoteStart, end), end)
  const stateEnd = fieldEnd(bytes, stateStart, end)
  if (readHex(bytes, stateStart, stateEnd) !== listenState) return false
  at = stateEnd
  for (let field = 0; field < 5; field++) at = fieldEnd(bytes, skipSpaces(bytes, at, end), end)
  const inodeStart = skipSpaces(bytes, at, end)
  const inode = readDecimal(bytes, inodeStart, fieldEnd(bytes, inodeStart, end))
  const digits = addressEnd - addressStart
  if (Number.isNaN(inode) || (digits !== 8 && digits !== 32) || portEnd - addressEnd !== 5) return false
  for (let digit = addressStart; digit < addressEnd; digit++) if (hexDigit(bytes[digit]!) < 0) return false
  const port = readHex(bytes, addressEnd + 1, portEnd)
  if (Number.isNaN(port)) return false
  seen.add(inode)
  if (table.tcp.has(inode)) return true
  const host = digits === 8 ? readIpv4(bytes, addressStart) : readIpv6(bytes, addressStart)
  table.tcp.set(inode, { inode, host, port })
  return true
}

// `address: refcount protocol flags type state inode path`; flag 0x10000: it accepts connections
function readUnix(table: SocketTable, files: ProcFiles, path: string, seen: Set<number>): boolean {
  const rest = new LineRest()
  return files.readChunks(
    path,
    (chunk) => {
      rest.eachLine(chunk, (bytes, start, end) => takeUnixRow(table, bytes, start, end, seen))
      return true
    },
    true,
  )
}

function takeUnixRow(table: SocketTable, bytes: Uint8Array, start: number, end: number, seen: Set<number>): void {
  let at = start
  for (let field = 0; field < 3; field++) at = fieldEnd(bytes, skipSpaces(bytes, at, end), end)
  const flagsStart = skipSpaces(bytes, at, end)
  at = fieldEnd(bytes, flagsStart, end)
  if ((readHex(bytes, flagsStart, at) & 0x10000) === 0) return
  for (let field = 0; field < 2; field++) at = fieldEnd(bytes, skipSpaces(bytes, at, end), end)
  const inodeStart = skipSpaces(bytes, at, end)
  const inodeEnd = fieldEnd(bytes, inodeStart, end)
  const inode = readDecimal(bytes, inodeStart, inodeEnd)
  // One space, then the path as it is. Abstract names begin with @, and a path that begins elsewhere cannot be found from here.
  if (Number.isNaN(inode) || bytes[inodeEnd + 1] !== 0x2f || inodeEnd + 1 >= end) return
  seen.add(inode)
  if (!table.unix.has(inode)) table.unix.set(inode, { inode, path: Buffer.from(bytes.subarray(inodeEnd + 1, end)).toString('utf8') })
}

/** Lines of a file that comes in pieces: what a piece ends with is kept for the next. */
class LineRest {
  #rest: Uint8Array = new Uint8Array(0)

  eachLine(chunk: Uint8Array, take: (bytes: Uint8Array, start: number, end: number) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let start = 0
    for (;;) {
      const end = bytes.indexOf(lineFeed, start)
      if (end < 0) break
      take(bytes, start, end)
      start = end + 1
    }
    // A copy: the piece's memory is used again. No row is that long; what is, is none.
    this.#rest = bytes.length - start > lineBytesMax ? new Uint8Array(0) : Uint8Array.prototype.slice.call(bytes, start)
  }
}

function skipSpaces(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] === space) at++
  return at
}

function fieldEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] !== space) at++
  return at
}

/** NaN when it is no hexadecimal number. */
function readHex(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start || end - start > 8) return NaN
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = hexDigit(bytes[at]!)
    if (digit < 0) return NaN
    value = value * 16 + digit
  }
  return value
}

function readDecimal(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start || end - start > 15) return NaN
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 48
    if (digit < 0 || digit > 9) return NaN
    value = value * 10 + digit
  }
  return value
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  if (byte >= 65 && byte <= 70) return byte - 55
  if (byte >= 97 && byte <= 102) return byte - 87
  return -1
}

// Words of 32 bits in the byte order of the machine, which is little endian wherever Node.js runs.
function readIpv4(bytes: Uint8Array, start: number): string {
  const octets = [6, 4, 2, 0].map((offset) => readHex(bytes, start + offset, start + offset + 2))
  return octets.join('.')
}

function readIpv6(bytes: Uint8Array, start: number): string {
  const groups: number[] = []
  for (let word = 0; word < 4; word++) {
    const octet = (index: number): number => readHex(bytes, start + word * 8 + index * 2, start + word * 8 + index * 2 + 2)
    groups.push(octet(3) * 256 + octet(2), octet(1) * 256 + octet(0))
  }
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return [groups[6]! >> 8, groups[6]! & 255, groups[7]! >> 8, groups[7]! & 255].join('.')
  }
  return formatIpv6(groups)
}

/** The short form of RFC 5952. */
function formatIpv6(groups: readonly number[]): string {
  let best = 0
  let bestLength = 1
  for (let at = 0; at < 8; at++) {
    let length = 0
    while (at + length < 8 && groups[at + length] === 0) length++
    if (length > bestLength) [best, bestLength] = [at, length]
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')
  if (bestLength === 1) return text(groups)
  return `${text(groups.slice(0, best))}::${text(groups.slice(best + bestLength))}`
}
