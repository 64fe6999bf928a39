import { expect, test } from 'vitest'
import { parseRedisAddress, redactAddress } from './redis-address.ts'

const plain = { isTls: false, socketPath: undefined, username: '', password: '', database: 0 }

test.each([
  ['redis://host:1234', { ...plain, text: 'redis://host:1234', host: 'host', port: 1234 }],
  ['host', { ...plain, text: 'redis://host:6379', host: 'host', port: 6379 }],
  ['host:1', { ...plain, text: 'redis://host:1', host: 'host', port: 1 }],
  ['redis://[::1]:65535/', { ...plain, text: 'redis://[::1]:65535', host: '::1', port: 65_535 }],
  ['redis://', { ...plain, text: 'redis://localhost:6379', host: 'localhost', port: 6379 }],
  ['valkey://h/3', { ...plain, text: 'valkey://h:6379', host: 'h', port: 6379, database: 3 }],
  ['valkeys://h?db=4', { ...plain, text: 'valkeys://h:6379', host: 'h', port: 6379, database: 4, isTls: true }],
  ['rediss://u:p%40%3A@h:1', { ...plain, text: 'rediss://h:1', host: 'h', port: 1, username: 'u', password: 'p@:', isTls: true }],
  ['redis://:secret@h', { ...plain, text: 'redis://h:6379', host: 'h', port: 6379, password: 'secret' }],
  ['unix:///run/r.sock?db=2', { ...plain, text: 'unix:///run/r.sock', host: '', port: 0, socketPath: '/run/r.sock', database: 2 }],
  ['unix://u:p@/run/a%20b', { ...plain, text: 'unix:///run/a b', host: '', port: 0, socketPath: '/run/a b', username: 'u', password: 'p' }],
])('%s is read', (given, wanted) => {
  expect(parseRedisAddress(given)).toEqual(wanted)
})

test.each([
  ['http://u:hidden@h', 'want redis://, rediss://, valkey://, valkeys://, unix://, got http://'],
  ['redis://u:hidden@h:0', 'want a port from 1 to 65535, got 0'],
  ['redis://u:hidden@h:65536', 'want a port from 1 to 65535, got 65536'],
  ['redis://u:hidden@::1:3', 'want host[:port], an IPv6 host in brackets, got "::1:3"'],
  ['redis://u:hidden@h/x', 'want a database number, got "x"'],
  ['redis://u:hid/hidden@h', 'want a password whose / ? # are written as %2F %3F %23, got one of them before the @'],
  ['u:hid#hidden@h', 'want a password whose / ? # are written as %2F %3F %23'],
  ['unix://', 'want a path after unix://, got none'],
])('%s is refused without its password', (given, reason) => {
  expect(() => parseRedisAddress(given)).toThrow(reason)
  expect(() => parseRedisAddress(given)).not.toThrow('hidden')
})

test('a password is covered whatever else the address is', () => {
  expect(redactAddress('redis://u:p@x@h:1')).toBe('redis://u:xxxxx@h:1')
  expect(redactAddress('u:p@h')).toBe('u:xxxxx@h')
  expect(redactAddress('redis://h:1')).toBe('redis://h:1')
  expect(redactAddress('redis://u:p/q@h:1')).toBe('redis://u:xxxxx@h:1')
  expect(redactAddress('u:p/q@h')).toBe('u:xxxxx@h')
})
