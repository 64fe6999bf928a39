// 64-bit numbers are pairs of 32-bit halves here, because BigInt arithmetic allocates for each step.
// A function returns the low half and leaves the high half in `carriedHigh`.
let carriedHigh = 0

const prime1Low = 0x85ebca87
const prime1High = 0x9e3779b1
const prime2Low = 0x27d4eb4f
const prime2High = 0xc2b2ae3d
const prime3Low = 0x9e3779f9
const prime3High = 0x165667b1
const prime4Low = 0xc2b2ae63
const prime4High = 0x85ebca77
const prime5Low = 0x165667c5
const prime5High = 0x27d4eb2f

const lanesLow = new Int32Array(4)
const lanesHigh = new Int32Array(4)

/** xxHash64 with seed 0 of `bytes[start, end)`, as Go's cespare/xxhash gives it. */
export function xxhash64(bytes: Uint8Array, start = 0, end = bytes.length): bigint {
  const low = xxhash64Low(bytes, start, end)
  return (BigInt(carriedHigh >>> 0) << 32n) | BigInt(low >>> 0)
}

/** xxHash64 divided by 2^64: a number in [0, 1) whose lower bits are rounded away. */
export function xxhash64Fraction(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const low = xxhash64Low(bytes, start, end)
  return ((carriedHigh >>> 0) * 0x1_0000_0000 + (low >>> 0)) / 2 ** 64
}

function xxhash64Low(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  let i = start
  let low: number
  let high: number
  if (length >= 32) {
    seedLanes()
    for (const blockEnd = end - 31; i < blockEnd; i += 32) {
      for (let lane = 0; lane < 4; lane++) {
        const at = i + lane * 8
        lanesLow[lane] = round(lanesLow[lane]!, lanesHigh[lane]!, readU32(bytes, at), readU32(bytes, at + 4))
        lanesHigh[lane] = carriedHigh
      }
    }
    low = mergeLanes()
    high = carriedHigh
  } else {
    low = prime5Low
    high = prime5High
  }
  low = add(low, high, length, 0)
  high = carriedHigh

  for (; i + 8 <= end; i += 8) {
    low ^= round(0, 0, readU32(bytes, i), readU32(bytes, i + 4))
    high ^= carriedHigh
    low = rotateLeft(low, high, 27)
    low = multiply(low, carriedHigh, prime1Low, prime1High)
    low = add(low, carriedHigh, prime4Low, prime4High)
    high = carriedHigh
  }
  if (i + 4 <= end) {
    low ^= multiply(readU32(bytes, i), 0, prime1Low, prime1High)
    high ^= carriedHigh
    low = rotateLeft(low, high, 23)
    low = multiply(low, carriedHigh, prime2Low, prime2High)
    low = add(low, carriedHigh, prime3Low, prime3High)
    high = carriedHigh
    i += 4
  }
  for (; i < end; i++) {
    low ^= multiply(bytes[i]!, 0, prime5Low, prime5High)
    high ^= carriedHigh
    low = rotateLeft(low, high, 11)
    low = multiply(low, carriedHigh, prime1Low, prime1High)
    high = carriedHigh
  }

  // avalanche: h ^= h >> 33, × prime 2, h ^= h >> 29, × prime 3, h ^= h >> 32
  low ^= high >>> 1
  low = multiply(low, high, prime2Low, prime2High)
  high = carriedHigh
  low ^= (low >>> 29) | (high << 3)
  high ^= high >>> 29
  low = multiply(low, high, prime3Low, prime3High)
  return low ^ carriedHigh
}

function seedLanes(): void {
  lanesLow[0] = add(prime1Low, prime1High, prime2Low, prime2High)
  lanesHigh[0] = carriedHigh
  lanesLow[1] = prime2Low
  lanesHigh[1] = prime2High
  lanesLow[2] = 0
  lanesHigh[2] = 0
  lanesLow[3] = -prime1Low
  lanesHigh[3] = ~prime1High
}

function mergeLanes(): number {
  let low = rotateLeft(lanesLow[0]!, lanesHigh[0]!, 1)
  low = add(low, carriedHigh, rotateLeft(lanesLow[1]!, lanesHigh[1]!, 7), carriedHigh)
  low = add(low, carriedHigh, rotateLeft(lanesLow[2]!, lanesHigh[2]!, 12), carriedHigh)
  low = add(low, carriedHigh, rotateLeft(lanesLow[3]!, lanesHigh[3]!, 18), carriedHigh)
  let high = carriedHigh
  for (let lane = 0; lane < 4; lane++) {
    low ^= round(0, 0, lanesLow[lane]!, lanesHigh[lane]!)
    high ^= carriedHigh
    low = multiply(low, high, prime1Low, prime1High)
    low = add(low, carriedHigh, prime4Low, prime4High)
    high = carriedHigh
  }
  carriedHigh = high
  return low
}

function round(low: number, high: number, inputLow: number, inputHigh: number): number {
  const product = multiply(inputLow, inputHigh, prime2Low, prime2High)
  const sum = add(low, high, product, carriedHigh)
  const turned = rotateLeft(sum, carriedHigh, 31)
  return multiply(turned, carriedHigh, prime1Low, prime1High)
}

function add(aLow: number, aHigh: number, bLow: number, bHigh: number): number {
  const low = (aLow >>> 0) + (bLow >>> 0)
  carriedHigh = (aHigh + bHigh + (low > 0xffffffff ? 1 : 0)) | 0
  return low | 0
}

function rotateLeft(low: number, high: number, bits: number): number {
  carriedHigh = (high << bits) | (low >>> (32 - bits))
  return (low << bits) | (high >>> (32 - bits))
}

/** The low 64 bits of a product: low × low in 16-bit limbs, the cross terms only touch the high half. */
function multiply(aLow: number, aHigh: number, bLow: number, bHigh: number): number {
  const a0 = aLow & 0xffff
  const a1 = aLow >>> 16
  const b0 = bLow & 0xffff
  const b1 = bLow >>> 16
  const lowest = a0 * b0
  const middle = a1 * b0 + a0 * b1 + (lowest >>> 16)
  carriedHigh = (a1 * b1 + Math.floor(middle / 0x10000) + Math.imul(aLow, bHigh) + Math.imul(aHigh, bLow)) | 0
  return ((middle & 0xffff) << 16) | (lowest & 0xffff)
}

function readU32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}
