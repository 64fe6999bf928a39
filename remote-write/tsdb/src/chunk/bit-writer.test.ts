import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BitReader } from './bit-reader.ts'
import { BitWriter } from './bit-writer.ts'
import { BitText } from './testdata/bit-text.ts'
import { ChunkError } from './xor-decoder.ts'

const sizes = [3, 6, 9, 12, 18, 25]

/** Zeros behind, one of which may be a byte that was only begun. */
function expectBytes(got: Uint8Array, want: Uint8Array): void {
  expect(got.subarray(0, want.length)).toEqual(want)
  expect([...got.subarray(want.length)]).toEqual(got.length === want.length ? [] : [0])
}

describe('varbit', () => {
  it('takes the first and last value of each range, and the ones beside them', () => {
    const values = [
      0,
      1,
      -1,
      ...sizes.flatMap((size) => [-(2 ** (size - 1)), -(2 ** (size - 1)) + 1, 2 ** (size - 1), 2 ** (size - 1) + 1]),
    ]
    values.push(-(2 ** 53), 2 ** 53, -(2 ** 55), 2 ** 55, 2 ** 55 + 8, -(2 ** 55) + 4, -(2 ** 62), 2 ** 62)
    const writer = new BitWriter()
    const bits = new BitText()
    for (const value of values) {
      writer.putVarbitInt(value)
      bits.varbitInt(BigInt(value))
    }
    expectBytes(writer.finish(), bits.bytes())
    const reader = new BitReader(bits.bytes())
    expect(values.map(() => reader.varbitInt())).toEqual(values)
  })

  it('has unsigned ranges that begin at 0', () => {
    const values = [0, 1, ...sizes.flatMap((size) => [2 ** size - 1, 2 ** size]), 2 ** 53, 2 ** 56 - 8, 2 ** 56, 2 ** 63]
    const writer = new BitWriter()
    const bits = new BitText()
    for (const value of values) {
      writer.putVarbitUint(value)
      bits.varbitUint(BigInt(value))
    }
    expectBytes(writer.finish(), bits.bytes())
    const reader = new BitReader(bits.bytes())
    expect(values.map(() => reader.varbitUint())).toEqual(values)
  })

  it('and varints are read as written wherever they begin', () => {
    const anyNumber = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.integer({ min: -300, max: 300 }))
    fc.assert(
      fc.property(fc.array(anyNumber), fc.integer({ min: 0, max: 31 }), (values, shift) => {
        const writer = new BitWriter()
        const bits = new BitText()
        if (shift > 0) writer.put(1, shift)
        if (shift > 0) bits.put(1, shift)
        for (const value of values) {
          writer.putVarbitInt(value)
          writer.putVarint(value)
          writer.putUvarint(Math.abs(value))
          bits
            .varbitInt(BigInt(value))
            .varint(BigInt(value))
            .uvarint(BigInt(Math.abs(value)))
        }
        expectBytes(writer.finish(), bits.bytes())
        expect(writer.byteLength).toBe(writer.finish().length)
        const reader = new BitReader(bits.bytes())
        if (shift > 0) reader.bits(shift)
        for (const value of values) {
          expect([reader.varbitInt(), reader.varint(), reader.uvarint()]).toEqual([value, value, Math.abs(value)])
        }
      }),
    )
  })
})

describe('reader', () => {
  it('reads every bit there is and refuses one more', () => {
    for (let length = 1; length <= 9; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 37)
      for (const size of [1, 3, 8, 11, 32]) {
        const reader = new BitReader(bytes)
        let text = ''
        while (reader.bitsLeft >= size) text += reader.bits(size).toString(2).padStart(size, '0')
        const whole = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
        expect(whole.startsWith(text)).toBe(true)
        expect(whole.length - text.length).toBeLessThan(size)
        expect(() => reader.bits(size)).toThrow(ChunkError)
      }
    }
  })
})
