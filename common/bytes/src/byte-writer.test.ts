import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))

function written(write: (writer: ByteWriter) => void): string {
  const writer = new ByteWriter(1)
  write(writer)
  return hexOf(writer.view())
}

// Bytes of Go's encoding/binary: value, PutUvarint of the value as uint64, PutVarint.
const varints: readonly (readonly [number, string, string])[] = [
  [0, '00', '00'],
  [1, '01', '02'],
  [-1, 'ffffffffffffffffff01', '01'],
  [63, '3f', '7e'],
  [64, '40', '8001'],
  [-64, 'c0ffffffffffffffff01', '7f'],
  [-65, 'bfffffffffffffffff01', '8101'],
  [127, '7f', 'fe01'],
  [128, '8001', '8002'],
  [16383, 'ff7f', 'feff01'],
  [16384, '808001', '808002'],
  [2 ** 31 - 1, 'ffffffff07', 'feffffff0f'],
  [2 ** 31, '8080808008', '8080808010'],
  [2 ** 32, '8080808010', '8080808020'],
  [-(2 ** 31), '80808080f8ffffffff01', 'ffffffff0f'],
  [2 ** 53, '8080808080808010', '8080808080808020'],
  [-(2 ** 53), '80808080808080f0ff01', 'ffffffffffffff1f'],
  [1_700_000_000_000, '80d095ffbc31', '80a0abfef962'],
]

describe('varints', () => {
  it.each(varints)('%d', (value, unsigned, zigzag) => {
    if (value >= 0) {
      expect(written((writer) => writer.uvarint(value))).toBe(unsigned)
      expect(new ByteReader(bytesOf(unsigned)).uvarint()).toBe(value)
    }
    expect(written((writer) => writer.varint(value))).toBe(zigzag)
    expect(new ByteReader(bytesOf(zigzag)).varint()).toBe(value)
    expect(new ByteReader(bytesOf(unsigned)).int64Varint()).toBe(value)
  })

  it('takes 64 bits and refuses 65', () => {
    const reader = new ByteReader(bytesOf('ffffffffffffffffff01'))
    reader.varintWords()
    expect([reader.low, reader.high, reader.remaining]).toEqual([0xffffffff, 0xffffffff, 0])
    expect(() => new ByteReader(bytesOf('ffffffffffffffffff02')).uvarint()).toThrow('cannot read varint at offset 0: want at most 64 bits')
    expect(() => new ByteReader(bytesOf('8080808080808080808001')).uvarint()).toThrow('want at most 64 bits')
  })

  it('refuses one that is cut off, and stays where it began', () => {
    const reader = new ByteReader(bytesOf('0580'))
    reader.u8()
    expect(() => reader.uvarint()).toThrow('cannot read varint at offset 1: want 2 bytes, got 1')
    expect(reader.offset).toBe(1)
  })

  it('come back as they were written', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeInteger()), (values) => {
        const writer = new ByteWriter(0)
        for (const value of values) {
          writer.varint(value)
          writer.uvarint(Math.abs(value))
        }
        const reader = new ByteReader(writer.view())
        for (const value of values) {
          expect(reader.varint()).toBe(value)
          expect(reader.uvarint()).toBe(Math.abs(value))
        }
        expect(reader.remaining).toBe(0)
      }),
    )
  })
})

describe('fixed widths', () => {
  it('write the bytes that their names say', () => {
    expect(written((writer) => writer.u8(0x1ff))).toBe('ff')
    expect(written((writer) => writer.u16be(0x1234))).toBe('1234')
    expect(written((writer) => writer.u32be(0x89abcdef))).toBe('89abcdef')
    expect(written((writer) => writer.u32le(0x89abcdef))).toBe('efcdab89')
    expect(written((writer) => writer.u64be(0x01234567, 0x89abcdef))).toBe('0123456789abcdef')
    expect(written((writer) => writer.words64be(0x89abcdef, 0x01234567))).toBe('0123456789abcdef')
    expect(written((writer) => writer.words64le(0x89abcdef, 0x01234567))).toBe('efcdab8967452301')
    expect(written((writer) => writer.f64le(1.5))).toBe('000000000000f83f')
  })

  it('read what was written', () => {
    const reader = new ByteReader(bytesOf('ff123489abcdefefcdab890000000100000002000000000000f83f'))
    expect([reader.u8(), reader.u16be(), reader.u32be(), reader.u32le(), reader.u64be(), reader.f64le()]).toEqual([
      0xff,
      0x1234,
      0x89abcdef,
      0x89abcdef,
      2 ** 32 + 2,
      1.5,
    ])
  })

  it('keep the bits of a stale marker as words', () => {
    const writer = new ByteWriter()
    writer.words64le(2, 0x7ff00000)
    writer.words64be(2, 0x7ff00000)
    const reader = new ByteReader(writer.view())
    reader.words64le()
    expect([reader.low, reader.high]).toEqual([2, 0x7ff00000])
    reader.words64be()
    expect([reader.low, reader.high]).toEqual([2, 0x7ff00000])
  })

  it('refuse to read past the end', () => {
    const reader = new ByteReader(new Uint8Array(8), 2, 4)
    expect(() => reader.u32be()).toThrow(new RangeError('cannot read u32 at offset 2: want 4 bytes, got 2'))
    expect(() => reader.raw(3)).toThrow('cannot read bytes')
    expect(() => reader.raw(-1)).toThrow('cannot read bytes')
    expect(() => reader.skip(NaN)).toThrow('cannot read bytes')
    expect(reader.raw(2).length).toBe(2)
    expect(() => reader.u8()).toThrow('cannot read byte at offset 4: want 1 bytes, got 0')
    expect(() => new ByteReader(new Uint8Array(2), 0, 3)).toThrow('cannot read bytes [0, 3)')
  })
})

describe('texts and raw bytes', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), fc.uint8Array({ maxLength: 80 }), (text, bytes) => {
        const writer = new ByteWriter(0)
        const count = writer.utf8(text)
        writer.raw(bytes)
        writer.raw(bytes, bytes.length >> 1)
        expect(count).toBe(Buffer.byteLength(text))
        const reader = new ByteReader(writer.view())
        expect(reader.utf8(count)).toBe(text)
        expect(hexOf(reader.raw(bytes.length))).toBe(hexOf(bytes))
        expect(hexOf(reader.raw(reader.remaining))).toBe(hexOf(bytes.subarray(bytes.length >> 1)))
      }),
    )
  })

  it('keeps a byte order mark', () => {
    const writer = new ByteWriter()
    const count = writer.utf8('\ufeffabc' + 'x'.repeat(30))
    expect(new ByteReader(writer.view()).utf8(count)).toBe('\ufeffabc' + 'x'.repeat(30))
  })

  it('starts again after a reset', () => {
    const writer = new ByteWriter()
    writer.utf8('abc')
    writer.reset()
    expect(writer.view().length).toBe(0)
  })
})
