import { expect, test } from 'vitest'
import { parseDataSourceName } from './data-source-name.ts'

test.each([
  ['root:@unix(/run/m.sock)/', { kind: 'unix', path: '/run/m.sock' }, 'root', ''],
  ['u:p@tcp(db1:3307)/x', { kind: 'tcp', host: 'db1', port: 3307 }, 'u', 'p'],
  ['u:p@(db1:3307)/', { kind: 'tcp', host: 'db1', port: 3307 }, 'u', 'p'],
  ['u:p@/', { kind: 'tcp', host: '127.0.0.1', port: 3306 }, 'u', 'p'],
  ['u@tcp(db1)/', { kind: 'tcp', host: 'db1', port: 3306 }, 'u', ''],
  ['u:a@b/c:d@tcp([::1]:1)/db?timeout=1s', { kind: 'tcp', host: '::1', port: 1 }, 'u', 'a@b/c:d'],
])('%s', (text, address, user, password) => {
  const settings = parseDataSourceName(text, false)
  expect(settings.address).toEqual(address)
  expect(settings.user).toBe(user)
  expect(settings.password.reveal()).toBe(password)
  expect(settings.tls).toBeUndefined()
})

test('tls is taken from the parameters', () => {
  expect(parseDataSourceName('u@/?tls=true', false).tls).toEqual({ isVerified: true, isRequired: true })
  expect(parseDataSourceName('u@/?tls=true', true).tls).toEqual({ isVerified: false, isRequired: true })
  expect(parseDataSourceName('u@/?tls=preferred', false).tls).toEqual({ isVerified: false, isRequired: false })
})

test.each(['secret', 'u:secret@/?tls=maybe', 'u:secret@pipe(x)/', ':secret@/', 'u:secret@tcp(a:b:c)/x(/'])('%s is refused', (text) => {
  expect(() => parseDataSourceName(text, false)).toThrow(/^(?!.*secret)cannot read DATA_SOURCE_NAME: want /)
})
