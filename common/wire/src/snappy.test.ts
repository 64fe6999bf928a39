import fc from 'fast-check'
import oracle from 'snappy'
import { describe, expect, test } from 'vitest'
import { bodyBytesMax, compress, maxCompressedBytes, readDeclaredBytes, SnappyError, uncompress, useUncompressed } from './snappy.ts'
import { roomBytesKept, sharedCodec } from './wire-codec.ts'

/** Texts that repeat themselves, as label sets do, and noise. */
const payloadArbitrary = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .tuple(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 6 }), fc.array(fc.nat(), { maxLength: 400 }))
    .map(([words, picks]) => Uint8Array.from(Buffer.concat(picks.map((pick) => words[pick % words.length]!)))),
)

test('gives back what it compressed, and so does the oracle', () => {
  fc.assert(
    fc.property(payloadArbitrary, (payload) => {
      const block = compress(payload)
      expect(block.length).toBeLessThanOrEqual(maxCompressedBytes(payload.length))
      expect(Buffer.from(uncompress(block, 1 << 20)).equals(payload)).toBe(true)
      expect(Buffer.from(oracle.uncompressSync(Buffer.from(block)) as Buffer).equals(payload)).toBe(true)
      expect(Buffer.from(uncompress(oracle.compressSync(Buffer.from(payload)), 1 << 20)).equals(payload)).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('takes and refuses the same damaged blocks as the oracle', () => {
  fc.assert(
    fc.property(
      payloadArbitrary,
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
      fc.nat(),
      (payload, flips, cut) => {
        const whole = compress(payload)
        const block = Uint8Array.from(cut % 3 === 0 ? whole.subarray(0, cut % (whole.length + 1)) : whole)
        for (const [at, value] of flips) if (block.length > 0) block[at % block.length] = value
        let expected: Buffer | undefined
        let declared = 0
        try {
          declared = readDeclaredBytes(block)
          if (declared <= 1 << 20) expected = oracle.uncompressSync(Buffer.from(block)) as Buffer
        } catch {
          expected = undefined
        }
        let got: Uint8Array | undefined
        try {
          got = uncompress(block, 1 << 20)
        } catch (error) {
          expect(error).toBeInstanceOf(SnappyError)
        }
        expect(got === undefined).toBe(expected === undefined)
        if (got !== undefined) expect(Buffer.from(got).equals(expected!)).toBe(true)
      },
    ),
    { numRuns: 2000 },
  )
})

test('refuses a declared size over the limit before it decodes, and takes the limit itself', () => {
  const block = compress(new Uint8Array(1000))
  expect(uncompress(block, 1000)).toHaveLength(1000)
  expect(() => uncompress(block, 999)).toThrow('decoded block is too large: want at most 999 bytes, got 1000')
  // 32 MiB + 1 declared, nothing behind it
  expect(() => uncompress(Uint8Array.from([0x81, 0x80, 0x80, 0x10]), Number.MAX_SAFE_INTEGER)).toThrow('got 33554433')
})

test.each([
  ['nothing', []],
  ['an endless length', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ['the ten bytes that hang a careless decoder', [0x0a, 0xfc, 0xfa, 0xff, 0xff, 0xff, 1, 2, 3, 4]],
  ['fewer bytes than declared', [200, 1, 0x00, 0x41]],
  ['a copy from before the start', [8, 0x01, 0x05]],
])('refuses %s', (_name, bytes) => {
  expect(() => uncompress(Uint8Array.from(bytes), 1 << 20)).toThrow(SnappyError)
})

test('takes the longest head of a size, and refuses a longer one', () => {
  expect(Array.from(uncompress(Uint8Array.from([0x81, 0x80, 0x80, 0x80, 0x00, 0x00, 0x41]), 10))).toEqual([0x41])
  expect(() => uncompress(Uint8Array.from([0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 0x00, 0x41]), 10)).toThrow('snappy: corrupt input')
})

describe('bytes that are used where they were uncompressed', () => {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
  const pack = (content: string): Uint8Array => compress(Buffer.from(content))

  test('are those of the block, and what is made of them is given', () => {
    expect(useUncompressed(pack('one'), 10, (bytes) => [text(bytes), bytes.length])).toEqual(['one', 3])
    expect(useUncompressed(Uint8Array.of(0), 10, (bytes) => bytes.length)).toBe(0)
  })

  test('stay as they are while other blocks are uncompressed, in whatever way', () => {
    useUncompressed(pack('outer'), 10, (outer) => {
      const copy = uncompress(pack('a copy'), 10)
      useUncompressed(pack('inner'), 10, (inner) => {
        expect([text(outer), text(copy), text(inner)]).toEqual(['outer', 'a copy', 'inner'])
      })
      expect([text(outer), text(copy)]).toEqual(['outer', 'a copy'])
    })
  })

  test('are let go of after an error, of the block and of its use', () => {
    expect(() => useUncompressed(Uint8Array.of(5, 0), 10, () => 0)).toThrow('snappy: corrupt input')
    expect(() =>
      useUncompressed(pack('one'), 10, () => {
        throw new Error('of use')
      }),
    ).toThrow('of use')
    expect(sharedCodec().isHeld).toBe(false)
    useUncompressed(pack('one'), 10, (bytes) => expect(bytes.buffer).toBe(sharedCodec().bytes.buffer))
  })

  test('are refused as by uncompress', () => {
    expect(() => useUncompressed(compress(new Uint8Array(1000)), 999, () => 0)).toThrow(
      'snappy: decoded block is too large: want at most 999 bytes, got 1000',
    )
    expect(() => useUncompressed(Uint8Array.from([1, ...new Uint8Array(200)]), 1, () => 0)).toThrow(
      'snappy: block is too large: want at most 33 bytes, got 201',
    )
  })

  test.each([
    ['fit the room that is kept', roomBytesKept - 200_000, true],
    ['do not fit it', roomBytesKept + 1, false],
    ['are as many as there may be', bodyBytesMax, false],
  ])('are right if they %s, and those that do not fit are given back', (_name, length, isKept) => {
    const content = new Uint8Array(length)
    for (let i = 0; i < length; i += 1000) content[i] = i >> 10
    let kept: Uint8Array | undefined
    useUncompressed(compress(content), bodyBytesMax, (bytes) => {
      expect(Buffer.compare(bytes, content)).toBe(0)
      expect(bytes.buffer === sharedCodec().bytes.buffer).toBe(isKept)
      kept = bytes
    })
    expect(kept!.length).toBe(isKept ? length : 0)
  })

  test('never take a view of the memory away', () => {
    const { bytes } = sharedCodec()
    uncompress(compress(new Uint8Array(bodyBytesMax)), bodyBytesMax)
    expect(sharedCodec().bytes).toBe(bytes)
    expect(bytes.length).toBeGreaterThan(roomBytesKept)
    expect(bytes.length).toBeLessThan(roomBytesKept + 256 * 1024)
  })
})
