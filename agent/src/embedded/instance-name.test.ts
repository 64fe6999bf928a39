import { expect, test } from 'vitest'
import { instanceOf, isOwnHost, splitHostPort } from './instance-name.ts'

test.each([
  [{ address: 'db:3306' }, 'db:3306'],
  [{ address: 'localhost:3306' }, 'web1:3306'],
  [{ address: '127.0.0.1:3306' }, 'web1:3306'],
  [{ address: '[::1]:3306' }, 'web1:3306'],
  [{ address: '[2001:db8::1]:3306' }, '[2001:db8::1]:3306'],
  [{ socketPath: '/run/m.sock' }, 'web1:/run/m.sock'],
  [{ uri: 'http://127.0.0.1:8080/stub_status' }, 'web1:8080'],
  [{ uri: 'https://web/stub_status' }, 'web:443'],
  [{ uri: 'unix:/run/n.sock:/s' }, 'web1:/run/n.sock:/s'],
  [{}, 'web1'],
])('the instance of %j is %s', (service, instance) => {
  expect(instanceOf(service, 'web1')).toBe(instance)
})

test('hosts of this machine', () => {
  for (const host of ['localhost', '', '*', '0.0.0.0', '::', '127.9.9.9', '::ffff:127.0.0.1']) expect(isOwnHost(host)).toBe(true)
  for (const host of ['db', '10.0.0.1', '::2', '127.evil.example']) expect(isOwnHost(host)).toBe(false)
})

test('splits hosts from ports', () => {
  expect(splitHostPort('[::1]:80')).toEqual({ host: '::1', port: 80 })
  expect(splitHostPort(':80')).toEqual({ host: '', port: 80 })
  for (const text of ['a', 'a:b', '::1:80', 'http://a:80', '']) expect(splitHostPort(text)).toBeUndefined()
})
