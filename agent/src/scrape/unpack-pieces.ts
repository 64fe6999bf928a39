import { constants, createGunzip, createZstdDecompress } from 'node:zlib'
import { zstdWindowLogMax } from './unpack-zstd.ts'

export type Packing = 'gzip' | 'zstd'

/** The buffer for what is unpacked: an answer that fits is read in one piece. */
export const wholeBytesMax = 2 ** 20
/** Of a larger one each piece: it is still in the processor's cache when it is read. */
export const pieceBytes = 64 * 1024
const idleEnginesMax = 4

// One for all: what is unpacked is used up before the next.
let room = new Uint8Array(0)
// For calls that should give nothing.
const noRoom = new Uint8Array(64)

/** What is used of a zlib stream's engine: one call, no events, output straight into a buffer of ours. */
interface Engine {
  readonly stream: { readonly destroyed: boolean; destroy(): void }
  readonly handle: { reset(): void; writeSync: (...args: readonly unknown[]) => void }
  /** Bytes left after the last call: of the output, of the input. */
  readonly left: Uint32Array
}

const emptyBytes = new Uint8Array(0)
const goOn = 0 // Z_NO_FLUSH, ZSTD_e_continue
const ends = { gzip: 4, zstd: 2 } // Z_FINISH, ZSTD_e_end

/**
 * Unpacks one body after the other, each in pieces. `createGunzip` is asynchronous, `gunzipSync` wants all of a body, and each makes an engine
 * (50 KB) and buffers for every body. So an engine is called here as `gunzipSync` itself calls it. Those calls are Node's own and not documented:
 * `isUsable` tries them once.
 */
export class PieceUnpacker {
  readonly packing: Packing
  readonly #engine: Engine
  #packed: Uint8Array = emptyBytes
  #at = 0

  constructor(packing: Packing) {
    const engine = openEngine(packing)
    if (engine === undefined) throw new Error(`cannot unpack ${packing} in pieces: the runtime has another engine`)
    this.packing = packing
    this.#engine = engine
  }

  /** The next bytes of a body, to be unpacked by `next` before others are fed. */
  feed(packed: Uint8Array): void {
    this.#packed = packed
    this.#at = 0
  }

  /**
   * The next piece, of `bytesMax` bytes unless there are no more of what was fed; valid until anything else is unpacked. Throws zlib's error for
   * rubbish.
   */
  next(bytesMax: number): Uint8Array {
    const target = roomOf(bytesMax)
    let bytes = 0
    while (bytes < bytesMax) {
      const before = this.#at
      const got = this.#run(goOn, this.#packed, before, target, bytes)
      bytes += got
      this.#at = this.#packed.length - this.#engine.left[1]!
      // zstd stops behind each frame, gzip takes no more when its end has come.
      if (this.#at === this.#packed.length && bytes < bytesMax) break
      if (this.#at === before && got === 0) {
        checkPadding(this.#packed, before)
        break
      }
    }
    return bytes === target.length ? target : target.subarray(0, bytes)
  }

  /** The body is whole. Throws when its end is missing. */
  end(): void {
    this.#run(ends[this.packing], emptyBytes, 0, noRoom, 0)
  }

  /** Makes ready for another body; false when the engine is of no use any more. */
  reset(): boolean {
    this.feed(emptyBytes)
    // An engine of zstd that is reset forgets its bound of the window.
    if (this.packing === 'zstd' || this.#hasFailed()) return false
    this.#engine.handle.reset()
    return true
  }

  /** Returns how many bytes were written behind the first `from` of `target`. */
  #run(flush: number, packed: Uint8Array, at: number, target: Uint8Array, from: number): number {
    const { handle, left, stream } = this.#engine
    handle.writeSync(flush, packed, at, packed.length - at, target, from, target.length - from)
    if (this.#hasFailed()) {
      const failure: unknown = Reflect.get(stream, 'errored')
      throw failure instanceof Error ? failure : new Error('zlib failed')
    }
    return target.length - from - left[0]!
  }

  #hasFailed(): boolean {
    const { stream } = this.#engine
    return stream.destroyed || Reflect.get(stream, 'errored') !== null
  }

  close(): void {
    this.#engine.stream.destroy()
  }
}

/** Keeps a few engines for the next bodies: as many are open as bodies come at the same time. */
export class PieceUnpackers {
  readonly #idle: PieceUnpacker[] = []
  readonly #isUsable: Record<Packing, boolean | undefined> = { gzip: undefined, zstd: undefined }

  /** Undefined where the runtime does not let us: the body has to be unpacked whole then. */
  open(packing: Packing): PieceUnpacker | undefined {
    this.#isUsable[packing] ??= tryOut(packing)
    if (!this.#isUsable[packing]) return undefined
    const kept = packing === 'gzip' ? this.#idle.pop() : undefined
    return kept ?? new PieceUnpacker(packing)
  }

  /** Takes back what `open` gave, in whatever state. */
  give(unpacker: PieceUnpacker): void {
    if (this.#idle.length < idleEnginesMax && unpacker.reset()) this.#idle.push(unpacker)
    else unpacker.close()
  }
}

export const pieceUnpackers = new PieceUnpackers()

const samples = {
  gzip: 'H4sIAAAAAAAAA8tLLCrJSK1QyEOlATui9ScXAAAA',
  zstd: 'KLUv/SAXdQAAQG5hcnRoZXggAQDrChc=',
}

/** Whether an engine does as expected, with a body in two parts. */
function tryOut(packing: Packing): boolean {
  try {
    const unpacker = new PieceUnpacker(packing)
    const packed = Buffer.from(samples[packing], 'base64')
    let text = ''
    for (const part of [packed.subarray(0, 12), packed.subarray(12)]) {
      unpacker.feed(part)
      text += Buffer.from(unpacker.next(pieceBytes)).toString()
    }
    unpacker.end()
    unpacker.close()
    return text === 'narthex narthex narthex'
  } catch {
    return false
  }
}

function roomOf(bytes: number): Uint8Array {
  if (room.length < bytes) room = new Uint8Array(bytes)
  return room.length === bytes ? room : room.subarray(0, bytes)
}

/** Zeros behind the last member of gzip are allowed, as fillers of a block. */
function checkPadding(bytes: Uint8Array, from: number): void {
  for (let i = from; i < bytes.length; i++) if (bytes[i] !== 0) throw new Error('incorrect header check')
}

function openEngine(packing: Packing): Engine | undefined {
  // Their own buffer for output is not used.
  const chunkSize = 64
  const params = { [constants.ZSTD_d_windowLogMax]: zstdWindowLogMax }
  const stream: object = packing === 'gzip' ? createGunzip({ chunkSize }) : createZstdDecompress({ chunkSize, params })
  const handle: unknown = Reflect.get(stream, '_handle')
  const left: unknown = Reflect.get(stream, '_writeState')
  if (!isHandle(handle) || !(left instanceof Uint32Array) || left.length !== 2 || !isStream(stream)) return undefined
  // An engine that fails tells its stream, and a stream without a listener would end the process.
  stream.on('error', () => {})
  return { stream, handle, left }
}

function isHandle(value: unknown): value is Engine['handle'] {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'reset') === 'function' &&
    typeof Reflect.get(value, 'writeSync') === 'function'
  )
}

function isStream(value: object): value is Engine['stream'] & { on(event: string, listener: () => void): void } {
  return typeof Reflect.get(value, 'on') === 'function' && typeof Reflect.get(value, 'destroy') === 'function'
}
