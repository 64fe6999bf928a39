import { expect, test } from 'vitest'
import { negotiateEncoding } from './content-encoding.ts'

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
