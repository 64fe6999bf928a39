import { createGunzip, gunzipSync, gzipSync } from 'node:zlib'

/** The answer does not fit into the caller's limit. */
export class UnpackedTooLargeError extends Error {
  override name = 'UnpackedTooLargeError'
}

/** What is used of a zlib stream's engine: one call, no events, output straight into a buffer of ours. */
interface Engine {
  readonly stream: { readonly destroyed: boolean; destroy(): void }
  readonly handle: { reset(): void; writeSync: (...args: readonly unknown[]) => void }
  /** Bytes left after the last call: of the output, of the input. */
  readonly left: Uint32Array
}

const finish = 4 // Z_FINISH

/**
 * Unpacks gzip answers into buffers that the caller keeps. `gunzipSync` makes an engine (50 KB), a stream object and an output buffer for every
 * call; for a hundred answers a second that is twice the time and most of the garbage (200 against 95 µs for 57 KB). So one engine is kept and
 * called as `gunzipSync` itself calls it. Those calls are Node's own and not documented: `isUsable` tries them once, and whatever is unusual
 * about an answer goes through `gunzipSync`.
 */
export class Unpacker {
  #engine: Engine | undefined = openEngine()
  readonly #isUsable: boolean

  constructor() {
    this.#isUsable = this.#tryOut()
  }

  /** True when answers are unpacked without `gunzipSync`. */
  get isUsable(): boolean {
    return this.#isUsable
  }

  /** The unpacked bytes, at the start of `into` or of a larger buffer. Throws UnpackedTooLargeError, or zlib's error for rubbish. */
  unpack(packed: Uint8Array, into: Uint8Array, bytesMax: number): Uint8Array {
    let target = into.length > 0 ? into : new Uint8Array(grownSize(0, packed.length, bytesMax))
    while (this.#isUsable) {
      const bytes = this.#run(packed, target)
      if (bytes === undefined) break
      if (bytes > bytesMax) throw new UnpackedTooLargeError(`want at most ${bytesMax} bytes, got ${bytes}`)
      // A full buffer may be one that was too small.
      if (bytes < target.length) return target.subarray(0, bytes)
      target = new Uint8Array(grownSize(target.length, packed.length, bytesMax))
    }
    return unpackSlowly(packed, bytesMax)
  }

  /** Bytes written to `target`, as many as it holds when it is too small; undefined when the engine will not do it in one go. */
  #run(packed: Uint8Array, target: Uint8Array): number | undefined {
    this.#engine ??= openEngine()
    const engine = this.#engine
    if (engine === undefined) return undefined
    engine.handle.reset()
    engine.handle.writeSync(finish, packed, 0, packed.length, target, 0, target.length)
    if (engine.stream.destroyed || isFailed(engine.stream)) {
      this.#engine = undefined
      return undefined
    }
    const bytes = target.length - engine.left[0]!
    // Input left over with room in the output: a second gzip member or rubbish behind the first.
    return engine.left[1]! > 0 && bytes < target.length ? undefined : bytes
  }

  #tryOut(): boolean {
    try {
      const sample = Buffer.from('narthex narthex narthex')
      const target = new Uint8Array(64)
      for (let round = 0; round < 2; round++) {
        if (this.#run(gzipSync(sample), target) !== sample.length) return false
        if (Buffer.compare(target.subarray(0, sample.length), sample) !== 0) return false
      }
      return true
    } catch {
      return false
    }
  }
}

function unpackSlowly(packed: Uint8Array, bytesMax: number): Uint8Array {
  try {
    return gunzipSync(packed, { maxOutputLength: bytesMax })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      throw new UnpackedTooLargeError(`want at most ${bytesMax} bytes, got more`, { cause: error })
    }
    throw error
  }
}

/** Text of metrics packs six- to tenfold. One byte more than the limit is enough to see that it is passed. */
function grownSize(bytes: number, packedBytes: number, bytesMax: number): number {
  return Math.min(Math.max(bytes * 2, packedBytes * 8, 4096), bytesMax + 1)
}

function openEngine(): Engine | undefined {
  const stream: object = createGunzip()
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

function isFailed(stream: object): boolean {
  return Reflect.get(stream, 'errored') !== null
}
