/** Bits as a text of 0 and 1, and the number formats of chunks in arbitrary precision: slow, and nothing like the code under test. */
export class BitText {
  text = ''

  put(value: bigint | number, count: number): this {
    this.text += BigInt.asUintN(count, BigInt(value)).toString(2).padStart(count, '0')
    return this
  }

  raw(bits: string): this {
    this.text += bits
    return this
  }

  uvarint(value: bigint): this {
    let rest = BigInt.asUintN(64, value)
    for (; rest >= 128n; rest >>= 7n) this.put((rest & 127n) | 128n, 8)
    return this.put(rest, 8)
  }

  varint(value: bigint): this {
    return this.uvarint(value < 0n ? -2n * value - 1n : 2n * value)
  }

  varbitInt(value: bigint): this {
    if (value === 0n) return this.raw('0')
    for (const [i, size] of [3n, 6n, 9n, 12n, 18n, 25n, 56n].entries()) {
      if (value > -(1n << (size - 1n)) && value <= 1n << (size - 1n)) return this.raw(`${'1'.repeat(i + 1)}0`).put(value, Number(size))
    }
    return this.raw('11111111').put(value, 64)
  }

  varbitUint(value: bigint): this {
    if (value === 0n) return this.raw('0')
    for (const [i, size] of [3, 6, 9, 12, 18, 25, 56].entries()) {
      if (value < 1n << BigInt(size)) return this.raw(`${'1'.repeat(i + 1)}0`).put(value, size)
    }
    return this.raw('11111111').put(value, 64)
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(Math.ceil(this.text.length / 8))
    for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(this.text.slice(8 * i, 8 * i + 8).padEnd(8, '0'), 2)
    return bytes
  }
}

/** A float that is written as the XOR with its last value. */
export class XorText {
  value: bigint
  window: readonly [leading: number, trailing: number] | undefined

  constructor(value: bigint) {
    this.value = value
  }

  /** `same`, `reuse` and `renew` are what stands before each kind. */
  put(bits: BitText, next: bigint, same = '0', reuse = '10', renew = '11'): void {
    const change = (next ^ this.value).toString(2).padStart(64, '0')
    this.value = next
    const first = change.indexOf('1')
    if (first < 0) {
      bits.raw(same)
      return
    }
    const leading = Math.min(first, 31)
    const trailing = 63 - change.lastIndexOf('1')
    if (this.window !== undefined && leading >= this.window[0] && trailing >= this.window[1]) {
      bits.raw(reuse).raw(change.slice(this.window[0], 64 - this.window[1]))
      return
    }
    this.window = [leading, trailing]
    bits
      .raw(renew)
      .put(leading, 5)
      .put(64 - leading - trailing, 6)
      .raw(change.slice(leading, 64 - trailing))
  }
}

export const staleBits = 0x7ff0_0000_0000_0002n

export function floatBits(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  return view.getBigUint64(0)
}
