import { expect, test } from 'vitest'
import { countMaskBits, formatIpv4, formatIpv6 } from './ip-address-text.ts'

test('IPv6 addresses are printed as RFC 5952 says', () => {
  const print = (groups: string): string => formatIpv6(groups.replaceAll(' ', ''))
  expect(print('0000 0000 0000 0000 0000 0000 0000 0000')).toBe('::')
  expect(print('0000 0000 0000 0000 0000 0000 0000 0001')).toBe('::1')
  expect(print('2001 0db8 0000 0000 0001 0000 0000 0001')).toBe('2001:db8::1:0:0:1')
  expect(print('2001 0db8 0000 0001 0001 0001 0001 0001')).toBe('2001:db8:0:1:1:1:1:1')
  expect(print('2001 0000 0000 0001 0000 0000 0000 0001')).toBe('2001:0:0:1::1')
  expect(print('fe80 0000 0000 0000 0000 0000 0000 0000')).toBe('fe80::')
  expect(print('ffff ffff ffff ffff ffff ffff ffff ffff')).toBe('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')
})

test('IPv4 addresses and masks are read as the kernel prints them', () => {
  expect(formatIpv4('010200C0')).toBe('192.0.2.1')
  expect(formatIpv4('FFFFFFFF')).toBe('255.255.255.255')
  expect(['00000000', '000000FF', '00FFFFFF', 'FFFFFFFF'].map(countMaskBits)).toEqual([0, 8, 24, 32])
})
