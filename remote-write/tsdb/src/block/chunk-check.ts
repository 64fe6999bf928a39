import { crc32cModule } from '@narthex/bytes/crc32c'
import { chunkCheckBase64 } from './chunk-check-bytes.ts'
import { pageBytes } from './page-cache.ts'

/** The shortest chunk: length, encoding, a byte of data, checksum. */
export const chunkBytesMin = 7

interface Exports {
  readonly check: (at: number, until: number, end: number, list: number) => number
}

/** An instance of chunk-check.wat: the checksums of a series' chunks by one call, which is as quick the first time. */
export class ChunkCheck {
  /** By the chunk: how far from the first one it begins. */
  readonly places: Uint16Array
  readonly #bytes: Uint8Array
  readonly #roomAt: number
  readonly #listAt: number
  readonly #check: Exports['check']

  constructor() {
    const { bytes, roomAt, memory, sum } = crc32cModule()
    const module = new WebAssembly.Module(Buffer.from(chunkCheckBase64, 'base64'))
    this.#check = (new WebAssembly.Instance(module, { crc32c: { memory, sum } }).exports as unknown as Exports).check
    this.#bytes = bytes
    this.#roomAt = roomAt
    this.#listAt = roomAt + pageBytes
    this.places = new Uint16Array(memory.buffer, this.#listAt, Math.ceil(pageBytes / chunkBytesMin))
  }

  /**
   * How many chunks, the first at the beginning of `bytes` and each where the one before it ends, are right; those that begin at `until` or later are not
   * looked at. It ends at the first that is wrong, that is not there as a whole, or that has a length of three bytes. `places` has them until the next call.
   */
  check(bytes: Uint8Array, until: number): number {
    const roomAt = this.#roomAt
    const end = roomAt + Math.min(bytes.length, pageBytes)
    this.#bytes.set(bytes.length > pageBytes ? bytes.subarray(0, pageBytes) : bytes, roomAt)
    return this.#check(roomAt, roomAt + Math.min(until, pageBytes), end, this.#listAt)
  }
}

let shared: ChunkCheck | undefined

/** That of this thread. */
export function chunkCheck(): ChunkCheck {
  return (shared ??= new ChunkCheck())
}
