import { crc32cBase64 } from './crc32c-bytes.ts'

// Eight tables of 256 words: table k gives the checksum of a byte followed by k zero bytes, so eight bytes fold in one step.
const tables = buildTables()
/** From here on the module is as quick, copy included. */
const moduleBytesMin = 128

let shared: Crc32cModule | undefined

/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82f63b78) of `bytes[start, end)`, as an unsigned 32-bit number.
 * `previous` is the checksum of what came before, so a checksum can be carried over several pieces.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, previous = 0): number {
  if (end - start >= moduleBytesMin) return crc32cModule().sumBytes(bytes, start, end, previous)
  const t = tables
  let crc = ~previous
  let i = start
  for (const blockEnd = end - 7; i < blockEnd; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    crc =
      t[1792 + (crc & 0xff)]! ^
      t[1536 + ((crc >>> 8) & 0xff)]! ^
      t[1280 + ((crc >>> 16) & 0xff)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^
      t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 0xff]!
  return ~crc >>> 0
}

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly roomAt: WebAssembly.Global
  readonly sum: (start: number, end: number, previous: number) => number
}

/** That of this thread; other modules may have its memory and sums. */
export function crc32cModule(): Crc32cModule {
  return (shared ??= new Crc32cModule())
}

/** An instance of crc32c.wat, 64 KiB. */
class Crc32cModule {
  /** Of its end, 48 KiB from `roomAt` on are anybody's from one call to the next. */
  readonly memory: WebAssembly.Memory
  readonly bytes: Uint8Array
  readonly roomAt: number
  /** Of the bytes [start, end) of the memory. */
  readonly sum: Exports['sum']

  constructor() {
    const module = new WebAssembly.Module(Buffer.from(crc32cBase64, 'base64'))
    const { memory, roomAt, sum } = new WebAssembly.Instance(module).exports as unknown as Exports
    this.memory = memory
    this.bytes = new Uint8Array(memory.buffer)
    this.roomAt = roomAt.value as number
    this.sum = sum
  }

  sumBytes(bytes: Uint8Array, start: number, end: number, previous: number): number {
    const { roomAt } = this
    const room = this.bytes.length - roomAt
    let crc = previous
    for (let from = start; from < end; from += room) {
      const to = Math.min(end, from + room)
      this.bytes.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), roomAt)
      crc = this.sum(roomAt, roomAt + to - from, crc)
    }
    return crc >>> 0
  }
}

function buildTables(): Int32Array {
  const built = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    built[byte] = crc
  }
  for (let i = 256; i < built.length; i++) {
    const before = built[i - 256]!
    built[i] = (before >>> 8) ^ built[before & 0xff]!
  }
  return built
}
