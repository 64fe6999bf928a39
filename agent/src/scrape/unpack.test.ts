import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { UnpackedTooLargeError, Unpacker } from './unpack.ts'

const unpacker = new Unpacker()
const none = new Uint8Array(0)

test('is usable on this runtime', () => {
  expect(unpacker.isUsable).toBe(true)
})

test('gives back what was packed, whatever buffer it may use', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), fc.nat(6000), (bytes, spare) => {
      expect(Buffer.from(unpacker.unpack(gzipSync(bytes), new Uint8Array(spare), 10_000))).toEqual(Buffer.from(bytes))
    }),
    { numRuns: 300 },
  )
})

test('writes into the buffer that it is given', () => {
  const into = new Uint8Array(100)
  expect(unpacker.unpack(gzipSync('abc'), into, 100).buffer).toBe(into.buffer)
})

test('reads several members, as gzip allows', () => {
  const packed = Buffer.concat([gzipSync('abc'), gzipSync('def')])
  expect(Buffer.from(unpacker.unpack(packed, new Uint8Array(100), 100)).toString()).toBe('abcdef')
})

test('refuses one byte more than the limit', () => {
  const packed = gzipSync(Buffer.alloc(1000, 97))
  expect(unpacker.unpack(packed, none, 1000).length).toBe(1000)
  expect(() => unpacker.unpack(packed, none, 999)).toThrow(UnpackedTooLargeError)
  expect(() => unpacker.unpack(packed, new Uint8Array(5000), 999)).toThrow(UnpackedTooLargeError)
})

test('refuses rubbish and a torn end, and goes on afterwards', () => {
  const packed = gzipSync(randomBytes(2000))
  for (const broken of [
    packed.subarray(0, 1500),
    Buffer.from('not gzip at all'),
    Buffer.concat([packed.subarray(0, 1900), Buffer.alloc(200)]),
  ]) {
    expect(() => unpacker.unpack(broken, new Uint8Array(5000), 10_000)).toThrow()
    expect(unpacker.unpack(packed, new Uint8Array(5000), 10_000).length).toBe(2000)
  }
})
