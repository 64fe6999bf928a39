import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { crc32c } from '@narthex/bytes/crc32c'
import { buildChunkCheck } from '../../build/build-chunk-check.ts'
import { ChunkCheck, chunkBytesMin } from './chunk-check.ts'

const check = new ChunkCheck()

function chunkOf(data: Uint8Array, encoding = 1): Uint8Array {
  const length = data.length < 0x80 ? [data.length] : [0x80 | (data.length & 0x7f), data.length >>> 7]
  const body = Uint8Array.of(encoding, ...data)
  const sum = crc32c(body)
  return Uint8Array.of(...length, ...body, sum >>> 24, sum >>> 16, sum >>> 8, sum)
}

function concatenate(chunks: readonly Uint8Array[]): { bytes: Uint8Array; places: number[] } {
  const places: number[] = []
  let at = 0
  for (const chunk of chunks) {
    places.push(at)
    at += chunk.length
  }
  return { bytes: Uint8Array.from(chunks.flatMap((chunk) => [...chunk])), places }
}

function rightPlaces(bytes: Uint8Array, until = bytes.length): number[] {
  return Array.from(check.places.subarray(0, check.check(bytes, until)))
}

describe('chunks one behind the other', () => {
  const chunk = fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.integer({ min: 1, max: 6 }))
    .map(([data, encoding]) => chunkOf(data, encoding))
  const list = fc.array(chunk, { minLength: 1, maxLength: 40 })

  it('are all right, and found where they begin', () => {
    fc.assert(
      fc.property(list, (chunks) => {
        const { bytes, places } = concatenate(chunks)
        expect(rightPlaces(bytes)).toEqual(places)
      }),
    )
  })

  it('are looked at up to the last one that is wanted', () => {
    fc.assert(
      fc.property(list, fc.nat(), (chunks, seed) => {
        const { bytes, places } = concatenate(chunks)
        const last = seed % places.length
        expect(rightPlaces(bytes, places[last]! + 1)).toEqual(places.slice(0, last + 1))
        expect(rightPlaces(bytes, places[last]!)).toEqual(places.slice(0, last))
      }),
    )
  })

  it('are right before one with a bit that is wrong, or an end that is not there', () => {
    fc.assert(
      fc.property(list, fc.nat(), fc.nat(7), (chunks, seed, bit) => {
        const { bytes, places } = concatenate(chunks)
        const at = seed % bytes.length
        const damaged = places.findLastIndex((place) => place <= at)
        const before = rightPlaces(bytes.subarray(0, at))
        expect(before).toEqual(places.slice(0, damaged))
        const wrong = bytes.slice()
        wrong[at]! ^= 1 << bit
        expect(rightPlaces(wrong).slice(0, damaged + 1)).toEqual(places.slice(0, damaged))
      }),
    )
  })
})

it.each([
  ['the shortest one', chunkOf(new Uint8Array(1)), 1],
  ['one of a length of one byte', chunkOf(new Uint8Array(127)), 1],
  ['one of a length of two bytes', chunkOf(new Uint8Array(128)), 1],
  ['one that fills a page', chunkOf(new Uint8Array(16_384 - 7)), 1],
  ['encoding 6', chunkOf(new Uint8Array(9), 6), 1],
  ['encoding 7', chunkOf(new Uint8Array(9), 7), 0],
  ['encoding 0', chunkOf(new Uint8Array(9), 0), 0],
  ['one without data', chunkOf(new Uint8Array(0)), 0],
  ['a length of three bytes', Uint8Array.of(0x81, 0x80, 0x00, ...chunkOf(new Uint8Array(1)).subarray(1)), 0],
  ['nothing', new Uint8Array(0), 0],
])('%s: %#', (_what, bytes, count) => {
  expect(check.check(bytes, bytes.length)).toBe(count)
})

it('has room for as many places as a page has chunks', () => {
  const { bytes, places } = concatenate(Array.from({ length: Math.floor(16_384 / chunkBytesMin) }, () => chunkOf(new Uint8Array(1))))
  expect(rightPlaces(bytes)).toEqual(places)
})

it('is the module that its text says', async () => {
  expect(readFileSync(join(import.meta.dirname, 'chunk-check-bytes.ts'), 'utf8')).toBe(await buildChunkCheck())
})
