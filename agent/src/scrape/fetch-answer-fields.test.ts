import { expect, test } from 'vitest'
import { OwnAddresses } from '../http/own-addresses.ts'
import { FieldsChoice, shareFields } from './fetch-answer-fields.ts'
import type { Compression } from './fetch-answer-fields.ts'

const zipped = 'gzip, zstd;q=0.9'
let interfaces = ['10.0.0.5']
let now = 0
const own = new OwnAddresses(
  () => interfaces,
  () => now,
)
const encoding = (compression: Compression, hostname: string | undefined) =>
  new FieldsChoice({ accept: 'a', 'accept-encoding': 'other' }, compression, hostname, own).choose().headers['accept-encoding']

test.each<[Compression, string | undefined, string]>([
  ['auto', '127.0.0.1', 'identity'],
  ['auto', 'localhost', 'identity'],
  ['auto', '[::1]', 'identity'],
  ['auto', '[::ffff:127.0.0.1]', 'identity'],
  ['auto', '10.0.0.5', 'identity'],
  ['auto', '10.0.0.6', zipped],
  ['auto', 'host.example', zipped],
  ['auto', undefined, zipped],
  ['on', '127.0.0.1', zipped],
  ['off', '10.0.0.6', 'identity'],
])('%s: asks %s for %s', (compression, hostname, wanted) => {
  expect(encoding(compression, hostname)).toBe(wanted)
})

test('follows an address that comes to this machine', () => {
  const choice = new FieldsChoice({}, 'auto', '10.0.0.7', own)
  expect(choice.choose().headers['accept-encoding']).toBe(zipped)
  interfaces = ['10.0.0.5', '10.0.0.7']
  now += 60_000
  expect(choice.choose().headers['accept-encoding']).toBe('identity')
})

test('makes the same fields once, and refuses those that are no lines', () => {
  expect(shareFields({ a: 'b' })).toBe(shareFields({ a: 'b' }))
  expect(shareFields({ a: 'b' }).text).toBe('a: b\r\n')
  expect(() => shareFields({ a: 'b\n' })).toThrow(TypeError)
})
