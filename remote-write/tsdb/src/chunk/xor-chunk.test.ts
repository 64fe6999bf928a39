import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SampleColumns } from '@narthex/model/sample-columns'
import { SharedArena } from '../head/shared-arena.ts'
import { OpenChunkWriter, pieceWords, readChunkBytes, firstDataField } from './open-chunk.ts'
import { copyChunk, decodeXorChunk } from './xor-chunk.ts'
import { ChunkError, XorDecoder } from './xor-decoder.ts'

type Sample = readonly [timeMs: number, low: number, high: number]

function words(value: number): [number, number] {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  return [view.getUint32(4), view.getUint32(0)]
}

function encode(samples: readonly Sample[]): { bytes: Uint8Array; arena: SharedArena; chunk: number } {
  const arena = SharedArena.reserve(8 * 2 ** 20)
  const writer = new OpenChunkWriter(arena)
  const state = new Uint32Array(4)
  const [first, ...rest] = samples
  const chunk = writer.start(state, 0, 0, 0, ...first!)
  let previous = first!
  for (const sample of rest) {
    writer.append(state, 0, ...sample, ...previous)
    previous = sample
  }
  return { bytes: copyChunk(arena, chunk, samples.length, readChunkBytes(state, 0)), arena, chunk }
}

function list(columns: SampleColumns): Sample[] {
  return Array.from({ length: columns.length }, (_, i) => [columns.times[i]!, columns.words[2 * i]!, columns.words[2 * i + 1]!])
}

function decode(bytes: Uint8Array): Sample[] {
  const columns = new SampleColumns()
  decodeXorChunk(bytes, columns)
  return list(columns)
}

const anySamples = fc
  .array(
    fc.tuple(
      fc.oneof({ arbitrary: fc.integer({ min: 1, max: 20_000 }), weight: 4 }, fc.integer({ min: 1, max: 7_200_000 })),
      fc.oneof(
        fc.tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 0xffffffff })),
        fc.integer({ min: 0, max: 1000 }).map(words),
        fc.constant<[number, number]>([2, 0x7ff00000]),
      ),
    ),
    { minLength: 1, maxLength: 200 },
  )
  .chain((steps) => fc.integer({ min: -(2 ** 50), max: 2 ** 50 }).map((start) => toSamples(start, steps)))

function toSamples(start: number, steps: readonly (readonly [number, readonly [number, number]])[]): Sample[] {
  let timeMs = start
  return steps.map(([step, [low, high]]) => [(timeMs += step), low, high])
}

describe('XOR chunk', () => {
  it('has the bytes that the format prescribes', () => {
    // 2 samples, t0 = 1 (zigzag 2), v0 = 1.0, delta 15 (0x0f), then bit 0: same value
    expect(
      encode([
        [1, ...words(1)],
        [16, ...words(1)],
      ]).bytes,
    ).toEqual(Uint8Array.of(0, 2, 0x02, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x0f, 0x00))
    // third sample: delta 16, dod 1 → 10 + 14 bits; value 1.0 → 2.0: xor 0x7ff0… → 11, leading 1, 11 bits, eleven ones
    expect(
      encode([
        [1, ...words(1)],
        [16, ...words(1)],
        [32, ...words(2)],
      ]).bytes,
    ).toEqual(
      // 0 | 10 00000000000001 | 11 00001 001011 11111111111
      Uint8Array.of(0, 3, 0x02, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x0f, 0b01000000, 0b00000000, 0b11100001, 0b00101111, 0b11111111, 0b10000000),
    )
  })

  it('gives back every bit of every sample', () => {
    fc.assert(
      fc.property(anySamples, (samples) => {
        const { bytes, arena, chunk } = encode(samples)
        expect(decode(bytes)).toEqual(samples)
        const columns = new SampleColumns()
        new XorDecoder(arena, pieceWords).decode(chunk + firstDataField, samples.length, -Infinity, Infinity, columns)
        expect(list(columns)).toEqual(samples)
      }),
      { numRuns: 150 },
    )
  })

  it('keeps stale markers signalling', () => {
    expect(
      decode(
        encode([
          [5, ...words(1)],
          [10, 2, 0x7ff00000],
          [15, ...words(1)],
        ]).bytes,
      )[1],
    ).toEqual([10, 2, 0x7ff00000])
  })

  it('takes the largest and smallest change of time of each bucket', () => {
    for (const change of [-8191, 8192, -8192, 8193, -65535, 65536, -65536, 65537, -524287, 524288, -524288, 524289, 7_000_000]) {
      const second = 1_000_000
      const samples: Sample[] = [
        [0, 0, 0],
        [second, 0, 0],
        [2 * second + change, 0, 0],
      ]
      expect(decode(encode(samples).bytes)).toEqual(samples)
    }
  })

  it('uses 64 significant bits when all of them change', () => {
    const samples: Sample[] = [
      [0, 0, 0],
      [1, 0x80000001, 0x80000000],
      [2, 0, 0],
    ]
    expect(decode(encode(samples).bytes)).toEqual(samples)
  })

  it('gives only the samples of the time asked for', () => {
    const samples = toSamples(
      1000,
      Array.from({ length: 50 }, (_, i) => [10, words(i)] as const),
    )
    const columns = new SampleColumns()
    decodeXorChunk(encode(samples).bytes, columns, 1100, 1200)
    expect(list(columns).map(([timeMs]) => timeMs)).toEqual([1100, 1110, 1120, 1130, 1140, 1150, 1160, 1170, 1180, 1190, 1200])
  })

  it('uses freed pieces again', () => {
    const arena = SharedArena.reserve(8 * 2 ** 20)
    const writer = new OpenChunkWriter(arena)
    const state = new Uint32Array(4)
    const write = (): number => {
      const chunk = writer.start(state, 0, 0, 0, 1, 0, 0)
      for (let i = 1; i < 100; i++)
        writer.append(state, 0, i + 1, i * 77_777_777, i * 99_999_999, i, (i - 1) * 77_777_777, (i - 1) * 99_999_999)
      return chunk
    }
    writer.free(write())
    const { usedBytes } = arena
    const chunk = write()
    expect(arena.usedBytes).toBe(usedBytes)
    expect(writer.freePieces).toBe(0)
    const columns = new SampleColumns()
    new XorDecoder(arena, pieceWords).decode(chunk + firstDataField, 100, 0, 1000, columns)
    expect(columns.times[99]).toBe(100)
    expect(columns.words[199]).toBe((99 * 99_999_999) >>> 0)
  })

  it('answers strange bytes with samples or a ChunkError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          const columns = new SampleColumns()
          decodeXorChunk(bytes, columns)
          expect(columns.length).toBeLessThanOrEqual((bytes[0]! << 8) | bytes[1]!)
        } catch (error) {
          expect(error).toBeInstanceOf(ChunkError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('refuses a chunk cut short by two bytes, of which one may be empty', () => {
    fc.assert(
      fc.property(anySamples, (samples) => {
        const { bytes } = encode(samples)
        expect(() => decode(bytes.subarray(0, bytes.length - 2))).toThrow(ChunkError)
      }),
      { numRuns: 50 },
    )
  })
})
