import fc from 'fast-check'
import { randomBytes } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { gzipSmall, smallGzipBytesMax } from './small-gzip.ts'

const unpack = (packed: Uint8Array): Buffer => gunzipSync(packed)

test('whatever is packed is unpacked by zlib, one body after the other', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom('nginx_connections_active 1\n', '# HELP a b\n', 'x'.repeat(300), '\0\0\0\0', 'ü'),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), fc.nat({ max: 3 }), (pieces, repeats) => {
      const body = Buffer.from(pieces.join('').repeat(repeats)).subarray(0, smallGzipBytesMax)
      expect(unpack(gzipSmall(body)).equals(body)).toBe(true)
    }),
    { numRuns: 2_000 },
  )
})

test('each length and each distance of a match is written as the format wants it', () => {
  for (let length = 1; length <= 600; length++) {
    const body = Buffer.concat([Buffer.from('abcd'), Buffer.alloc(length, 120), Buffer.from('efgh')])
    expect(unpack(gzipSmall(body)).equals(body)).toBe(true)
  }
  for (const distance of [4, 5, 8, 9, 16, 17, 255, 256, 257, 1024, 1025, 4096, 4097, 8192, 8193, 12_288, 12_289, smallGzipBytesMax - 12]) {
    // No bytes of the filling come twice in a place where they would be found.
    const filling = Buffer.alloc(distance - 4).map((_, i) => (i * 7 + (i >> 8)) % 251)
    const body = Buffer.concat([Buffer.from('\xff\xfe\xfd\xfc', 'latin1'), filling, Buffer.from('\xff\xfe\xfd\xfcend', 'latin1')])
    expect(unpack(gzipSmall(body)).equals(body)).toBe(true)
  }
})

test('bytes without any pattern take an eighth more, up to the largest body', () => {
  for (const length of [0, 1, 2, 3, 4, 5, smallGzipBytesMax]) {
    const body = randomBytes(length).map((byte) => byte | 0x90)
    const packed = gzipSmall(body)
    expect(unpack(packed).equals(Buffer.from(body))).toBe(true)
    expect(packed.length).toBeLessThanOrEqual(length + length / 8 + 32)
  }
  expect(() => gzipSmall(new Uint8Array(smallGzipBytesMax + 1))).toThrow('want at most 16384 bytes, got 16385')
})

test('an exposition of small size is packed to less than two fifths', () => {
  const families = Array.from(
    { length: 20 },
    (_, i) => `# HELP nginx_family_${i} Help of it.\n# TYPE nginx_family_${i} gauge\nnginx_family_${i} ${i * 7}\n`,
  )
  const body = Buffer.from(families.join(''))
  expect(gzipSmall(body).length).toBeLessThan(body.length * 0.4)
})
