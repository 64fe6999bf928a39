import { expect, it } from 'vitest'
import { OwnAddresses } from './own-addresses.ts'

const none = new OwnAddresses(() => [])

it.each([
  '127.0.0.1',
  '127.255.255.254',
  '0.0.0.0',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '::ffff:127.8.8.8',
  'localhost',
  'LocalHost.',
  'app.localhost',
])('takes %s for this machine', (hostname) => {
  expect(none.has(hostname)).toBe(true)
})

it.each([
  '126.255.255.255',
  '128.0.0.1',
  '10.0.0.1',
  '[::2]',
  '[::ffff:10.0.0.1]',
  '[fe80::1]',
  'localhost.example',
  'mylocalhost',
  '127.example',
  '',
])('takes %j for another machine', (hostname) => {
  expect(none.has(hostname)).toBe(false)
})

it('knows the addresses of its interfaces however they are written', () => {
  const own = new OwnAddresses(() => ['10.1.2.3', 'fe80::a', '2001:db8:0:0:0:0:0:5'])
  for (const hostname of ['10.1.2.3', '[::ffff:10.1.2.3]', '[fe80:0:0:0::a]', '[2001:db8::5]']) expect(own.has(hostname)).toBe(true)
  expect(own.has('10.1.2.4')).toBe(false)
})

it('knows the addresses of the system', () => {
  expect(new OwnAddresses().has('127.0.0.1')).toBe(true)
})

it('reads the interfaces again when asked after a minute, and says so only when they changed', () => {
  let addresses = ['10.0.0.1']
  let reads = 0
  let now = 0
  const own = new OwnAddresses(
    () => {
      reads++
      return addresses
    },
    () => now,
  )
  const first = own.version
  addresses = ['10.0.0.2']
  now = 59_999
  expect([own.version, own.has('10.0.0.2'), reads]).toEqual([first, false, 1])
  now = 60_000
  expect(own.version).not.toBe(first)
  expect([own.has('10.0.0.2'), own.has('10.0.0.1'), reads]).toEqual([true, false, 2])
  const second = own.version
  now = 120_000
  expect([own.version, reads]).toEqual([second, 3])
})
