import { randomFillSync } from 'node:crypto'
import { wireCodecBase64 } from './wire-codec-bytes.ts'

const pageBytes = 65_536
/** The least memory of the module: what it keeps for itself, and 64 KiB of the room. */
const ownPages = 3
/** Room for a block and what it uncompresses to in the instance that a thread keeps; what needs more gets an instance of its own, for once. */
export const roomBytesKept = 4 * 1024 * 1024
/** `hash` reads as far behind its range. */
const bytesReadBehind = 32
const alignment = 64

interface Exports {
  readonly uncompress: (source: number, sourceLength: number, target: number, targetLength: number) => number
  readonly hash: (start: number, end: number) => void
  readonly keysAt: WebAssembly.Global
  readonly keysEnd: WebAssembly.Global
  readonly hashAt: WebAssembly.Global
  readonly hashBytesMax: WebAssembly.Global
  readonly scratchAt: WebAssembly.Global
  readonly roomAt: WebAssembly.Global
}

let compiled: WebAssembly.Module | undefined
let shared: WireCodec | undefined

/** An instance of wire-codec.wat. Its memory has a fixed size, so that nothing it does takes a view of it away. */
export class WireCodec {
  /** All of its memory. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Hashes the bytes [start, end) of the memory, at most `hashBytesMax`, into `hashWords`. */
  readonly hash: (start: number, end: number) => void
  readonly hashWords: Uint32Array
  readonly hashBytesMax: number
  /** Bytes from elsewhere that are to be hashed can be put here, `hashBytesMax` of them. */
  readonly scratchAt: number
  /** A view of the room is in use: nothing is uncompressed until it is not. */
  isHeld = false
  readonly #uncompress: Exports['uncompress']
  readonly #roomAt: number
  readonly #roomEnd: number
  readonly #keysAt: number
  readonly #keysEnd: number

  /** `roomBytes` for a block and what it uncompresses to, together. */
  constructor(roomBytes: number) {
    compiled ??= new WebAssembly.Module(Buffer.from(wireCodecBase64, 'base64'))
    const pages = ownPages + Math.ceil(roomBytes / pageBytes)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    const exports = new WebAssembly.Instance(compiled, { wire: { memory } }).exports as unknown as Exports
    this.bytes = new Uint8Array(memory.buffer as ArrayBuffer)
    this.hash = exports.hash
    this.hashWords = new Uint32Array(memory.buffer, exports.hashAt.value as number, 3)
    this.hashBytesMax = exports.hashBytesMax.value as number
    this.scratchAt = exports.scratchAt.value as number
    this.#uncompress = exports.uncompress
    this.#roomAt = exports.roomAt.value as number
    this.#roomEnd = this.bytes.length - bytesReadBehind
    this.#keysAt = exports.keysAt.value as number
    this.#keysEnd = exports.keysEnd.value as number
  }

  /** Draws the keys of the hash, without which it has no secret. */
  drawKeys(): void {
    randomFillSync(this.bytes, this.#keysAt, this.#keysEnd - this.#keysAt)
  }

  /** Whether there is room for a block of `blockBytes` and what it uncompresses to. */
  hasRoom(blockBytes: number, uncompressedBytes: number): boolean {
    return this.#roomAt + blockBytes + alignment + uncompressedBytes <= this.#roomEnd
  }

  /**
   * Uncompresses a snappy block, of which the first `headBytes` are its head and for which there is room, into `bytes` and gives the offset; -1 if
   * its elements do not give just `uncompressedBytes`.
   */
  uncompress(block: Uint8Array, headBytes: number, uncompressedBytes: number): number {
    const source = this.#roomAt
    this.bytes.set(block, source)
    const target = (source + block.length + alignment - 1) & -alignment
    const status = this.#uncompress(source + headBytes, block.length - headBytes, target, uncompressedBytes)
    return status === 0 ? target : -1
  }
}

/** The instance that this thread keeps, with keys of its own for the hash. */
export function sharedCodec(): WireCodec {
  if (shared !== undefined) return shared
  shared = new WireCodec(roomBytesKept)
  shared.drawKeys()
  return shared
}
