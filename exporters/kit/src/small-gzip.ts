import type * as Zlib from 'node:zlib'

// RFC 1951 and 1952: one block with the fixed codes, matches found by one look into a table. zlib makes a state of 100 KB for each answer and gives it
// back, which takes three times as long as packing a few kilobytes does.

/** Larger bodies are for zlib, whose codes fit them better. Positions fit 16 bits, distances the format's 32 KiB. */
export const smallGzipBytesMax = 16 * 1024

const hashBits = 12
const matchBytesMin = 4
const matchBytesMax = 258

// What is written of a literal or a length: its code, first bit lowest, with the bits that follow it.
const literalBits = new Uint16Array(256)
const literalCounts = new Uint8Array(256)
const lengthBits = new Uint16Array(matchBytesMax + 1)
const lengthCounts = new Uint8Array(matchBytesMax + 1)
/** Of the 30 codes of distances: the code, and the smallest distance. */
const distanceBits = new Uint8Array(30)

function reverse(code: number, count: number): number {
  let reversed = 0
  for (let i = 0; i < count; i++) reversed |= ((code >> i) & 1) << (count - 1 - i)
  return reversed
}

for (let byte = 0; byte < 256; byte++) {
  const isShort = byte < 144
  literalCounts[byte] = isShort ? 8 : 9
  literalBits[byte] = isShort ? reverse(0x30 + byte, 8) : reverse(0x190 + byte - 144, 9)
}
for (let length = 3; length <= matchBytesMax; length++) {
  // Four codes for each number of further bits, but for the first eight and the last, which is 258 alone.
  const extraCount = length === matchBytesMax || length < 11 ? 0 : 29 - Math.clz32(length - 3)
  const symbol = length === matchBytesMax ? 285 : length < 11 ? 254 + length : 257 + 4 * extraCount + ((length - 3) >> extraCount)
  const extra = (length - 3) & ((1 << extraCount) - 1)
  const count = symbol < 280 ? 7 : 8
  const code = symbol < 280 ? reverse(symbol - 256, 7) : reverse(0xc0 + symbol - 280, 8)
  lengthBits[length] = length === matchBytesMax ? code : code | (extra << count)
  lengthCounts[length] = count + (length === matchBytesMax ? 0 : extraCount)
}
for (let symbol = 0; symbol < 30; symbol++) distanceBits[symbol] = reverse(symbol, 5)

/** Where four bytes of this hash were last, plus one; of an earlier body when it is below `base`. */
const places = new Int32Array(1 << hashBits)
let base = 0

const crc32 = (bytes: Uint8Array): number => (process.getBuiltinModule('node:zlib') as typeof Zlib).crc32(bytes)

/** A fresh array with the body as gzip. Throws for more than `smallGzipBytesMax` bytes. */
export function gzipSmall(body: Uint8Array): Uint8Array {
  const { length } = body
  if (length > smallGzipBytesMax) throw new Error(`cannot pack a body: want at most ${smallGzipBytesMax} bytes, got ${length}`)
  if (base > 0x7fff0000) {
    places.fill(0)
    base = 0
  }
  // A literal has nine bits at most, a match fewer than its bytes have.
  const out = Buffer.allocUnsafe(length + (length >> 3) + 32)
  // ┌ magic 2 B ┬ deflate 1 B ┬ flags 1 B ┬ time 4 B ┬ fastest 1 B ┬ unknown system 1 B ┐
  out.writeUInt32LE(0x00088b1f, 0)
  out.writeUInt32LE(0, 4)
  out.writeUInt16LE(0xff04, 8)
  let at = 10
  // The last block, of the fixed codes.
  let bits = 3
  let count = 3
  const last = length - matchBytesMin
  for (let i = 0; i < length;) {
    let matched = 0
    let distance = 0
    if (i <= last) {
      const four = body[i]! | (body[i + 1]! << 8) | (body[i + 2]! << 16) | (body[i + 3]! << 24)
      const slot = Math.imul(four, 0x9e3779b1) >>> (32 - hashBits)
      const from = places[slot]! - base - 1
      places[slot] = base + i + 1
      if (from >= 0) {
        const most = Math.min(matchBytesMax, length - i)
        while (matched < most && body[from + matched] === body[i + matched]) matched++
        distance = i - from
      }
    }
    if (matched < matchBytesMin) {
      const byte = body[i++]!
      bits |= literalBits[byte]! << count
      count += literalCounts[byte]!
    } else {
      bits |= lengthBits[matched]! << count
      count += lengthCounts[matched]!
      while (count >= 8) {
        out[at++] = bits
        bits >>>= 8
        count -= 8
      }
      const less = distance - 1
      const extraCount = less < 4 ? 0 : 30 - Math.clz32(less)
      bits |= distanceBits[less < 4 ? less : 2 * extraCount + (less >> extraCount)]! << count
      count += 5
      bits |= (less & ((1 << extraCount) - 1)) << count
      count += extraCount
      i += matched
    }
    while (count >= 8) {
      out[at++] = bits
      bits >>>= 8
      count -= 8
    }
  }
  base += length
  // The end of the block is seven zeros.
  for (count += 7; count > 0; count -= 8) {
    out[at++] = bits
    bits >>>= 8
  }
  out.writeUInt32LE(crc32(body), at)
  out.writeUInt32LE(length, at + 4)
  return out.subarray(0, at + 8)
}
