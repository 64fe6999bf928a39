import { putCopy, putLiteralHead } from './snappy-elements.ts'

/** A longer block is for `compress`. */
export const writerBytesMax = 64 * 1024

const tableBitsMin = 8
const tableBitsMax = 13
/** So many bytes at the end are not looked at. */
const marginBytes = 15
/** A literal of at most so many bytes is copied byte by byte. */
const shortLiteralBytes = 24

/**
 * Compresses blocks of up to 64 KiB into a caller's buffer, without an allocation. For bytes that hardly repeat, and briefly where they do, as the
 * samples of a log: those take two thirds of the time that the compressor in WebAssembly takes, and the same room. Long repeats, as of
 * label sets, are better left to that one.
 *
 * Matches are found as snappy's own compressor does it (the format leaves that open): the last place of each hash of four bytes, steps that grow
 * where nothing repeats, a table as large as the block wants.
 */
export class SnappyWriter {
  readonly #table = new Uint16Array(1 << tableBitsMax)
  #source: Uint8Array = new Uint8Array(0)
  #view: DataView = new DataView(new ArrayBuffer(0))

  /** Puts the block of `source[start, end)` at `at`, where there is room for `maxCompressedBytes`, and gives its end. */
  write(source: Uint8Array, start: number, end: number, into: Uint8Array, at: number): number {
    const length = end - start
    if (length > writerBytesMax) throw new RangeError(`cannot write a snappy block of ${length} bytes: want at most ${writerBytesMax}`)
    let to = at
    for (let rest = length; ; rest >>>= 7) {
      into[to++] = rest < 0x80 ? rest : (rest & 0x7f) | 0x80
      if (rest < 0x80) break
    }
    if (source !== this.#source) {
      this.#source = source
      this.#view = new DataView(source.buffer, source.byteOffset, source.byteLength)
    }
    const view = this.#view
    let bits = tableBitsMin
    while (bits < tableBitsMax && 1 << bits < length) bits++
    const table = this.#table
    table.fill(0, 0, 1 << bits)
    const shift = 32 - bits
    const limit = end - marginBytes
    let emitted = start
    let here = start + 1
    while (here < limit) {
      // Looks for four bytes that came before.
      let match = -1
      for (let skip = 32; here < limit; here += skip++ >>> 5) {
        const word = view.getInt32(here, true)
        const slot = Math.imul(word, 0x1e35a7bd) >>> shift
        const candidate = start + table[slot]!
        table[slot] = here - start
        if (candidate < here && view.getInt32(candidate, true) === word) {
          match = candidate
          break
        }
      }
      if (match < 0) break
      const literal = here - emitted
      if (literal > shortLiteralBytes) to = putLiteral(source, emitted, here, into, to)
      else if (literal > 0) {
        into[to++] = (literal - 1) << 2
        for (; emitted < here; emitted++) into[to++] = source[emitted]!
      }
      const distance = here - match
      let next = here + 4
      while (next + 4 <= end && view.getInt32(next) === view.getInt32(next - distance)) next += 4
      while (next < end && source[next] === source[next - distance]) next++
      const matched = next - here
      if (matched < 12 && distance < 2048) {
        into[to++] = ((distance >>> 8) << 5) | ((matched - 4) << 2) | 1
        into[to++] = distance
      } else to = putCopy(into, to, distance, matched)
      emitted = here = next
      if (here >= limit) break
      table[Math.imul(view.getInt32(here - 1, true), 0x1e35a7bd) >>> shift] = here - 1 - start
    }
    return putLiteral(source, emitted, end, into, to)
  }
}

function putLiteral(source: Uint8Array, start: number, end: number, into: Uint8Array, at: number): number {
  const length = end - start
  if (length === 0) return at
  const to = putLiteralHead(into, at, length)
  if (length > shortLiteralBytes) into.set(source.subarray(start, end), to)
  else for (let i = 0; i < length; i++) into[to + i] = source[start + i]!
  return to + length
}
