import { expect, test } from 'vitest'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { encodeBody, negotiateEncoding } from './content-encoding.ts'

test.each([
  [undefined, 'identity'],
  ['', 'identity'],
  ['gzip', 'gzip'],
  ['gzip, deflate, br, zstd', 'gzip'],
  ['zstd', 'zstd'],
  ['zstd;q=1, gzip;q=0.5', 'zstd'],
  ['gzip;q=0', 'identity'],
  ['*', 'gzip'],
  ['identity;q=1, gzip;q=0.5', 'identity'],
  ['deflate', 'identity'],
  [' GZIP ;q=0.5', 'gzip'],
])('%j gets %s', (header, encoding) => {
  expect(negotiateEncoding(header)).toBe(encoding)
})

test.each([0, 1, 511, 512, 3_000, 40_000, 262_144, 262_145])('a body of %i bytes comes back whole', async (length) => {
  const body = Buffer.alloc(length)
  for (let i = 0; i < length; i++) body[i] = (i * i) & 0x7f
  expect(gunzipSync(await encodeBody(body, 'gzip')).equals(body)).toBe(true)
  expect(zstdDecompressSync(await encodeBody(body, 'zstd')).equals(body)).toBe(true)
})
