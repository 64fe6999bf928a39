import { expect, test } from 'vitest'
import { parseCnf, readCnfSettings, type CnfDefaults } from './my-cnf.ts'
import type { ConnectionSettings } from './connection-settings.ts'

const defaults: CnfDefaults = { address: 'localhost:3306', user: '', password: '', tlsInsecureSkipVerify: false }

function read(text: string, given: Partial<CnfDefaults> = {}, env: NodeJS.ProcessEnv = {}) {
  const problems: string[] = []
  const settings = readCnfSettings(parseCnf(text, env), { ...defaults, ...given }, (section, reason) =>
    problems.push(`${section}: ${reason}`),
  )
  return { problems, settings, client: settings.get('client') as ConnectionSettings }
}

test('values may be quoted, and comments end where MySQL ends them', () => {
  const { client } = read('# c\n; c\n[client]\nuser = root # the boss\npassword="a#b;c\'d"  # quoted\nport:1\nloose\n!include x\n')
  expect(client.user).toBe('root')
  expect(client.password.reveal()).toBe(`a#b;c'd`)
  expect(read('[client]\nuser=u\npassword=ab;cd\n').client.password.reveal()).toBe('ab;cd')
  expect(read('[client]\nuser=u\npassword=ab#cd\n').client.password.reveal()).toBe('ab')
  expect(read(`[client]\nuser=u\npassword='it"s'\n`).client.password.reveal()).toBe('it"s')
  expect(read('[client]\nuser=u\npassword=x ; y\n').client.password.reveal()).toBe('x')
})

test('environment variables are put in, and unset ones are empty', () => {
  const { client } = read('[client]\nuser=u\npassword=${SECRET}-$OTHER-$1\n', {}, { SECRET: 's' })
  expect(client.password.reveal()).toBe('s--$1')
})

test('the command line fills what section client does not say', () => {
  const given = { address: '[::1]:3307', user: 'monitor', password: 'p' }
  expect(read('', given).client).toMatchObject({ address: { kind: 'tcp', host: '::1', port: 3307 }, user: 'monitor' })
  expect(read('', given).client.password.reveal()).toBe('p')
  const { client } = read('[client]\nuser=u\npassword=own\nhost=db1\n', given)
  expect(client).toMatchObject({ address: { kind: 'tcp', host: 'db1', port: 3307 }, user: 'u' })
  expect(client.password.reveal()).toBe('own')
})

test('a section below client has what client says, others have only what they say', () => {
  const text = '[client]\nuser=u\npassword=p\n[client.eu]\nhost=eu1\n[other]\nuser=o\n[mysqldump]\nquick\n'
  const { problems, settings } = read(text)
  expect(settings.get('client.eu')).toMatchObject({ address: { host: 'eu1', port: 3306 }, user: 'u' })
  expect(settings.get('client.eu')!.password.reveal()).toBe('p')
  expect(settings.get('other')!.password.reveal()).toBe('')
  expect(problems).toEqual(['mysqldump: no user specified in section or parent'])
})

test('a socket wins over host and port', () => {
  expect(read('[client]\nuser=u\nhost=h\nsocket=/run/m.sock\n').client.address).toEqual({ kind: 'unix', path: '/run/m.sock' })
})

test.each([
  ['', undefined],
  ['tls=false', undefined],
  ['tls=true', { isVerified: true, isRequired: true }],
  ['tls=skip-verify', { isVerified: false, isRequired: true }],
  ['tls=preferred', { isVerified: false, isRequired: false }],
  ['ssl-ca=/ca', { isVerified: true, isRequired: true, caFile: '/ca' }],
  ['ssl_ca=/ca\nssl-cert=/c\nssl-key=/k\ntls-server-name=n', { caFile: '/ca', certFile: '/c', keyFile: '/k', serverName: 'n' }],
  ['tls=true\ntls-min-version=TLS1.2\ntls-max-version=TLS13', { versionMin: 'TLSv1.2', versionMax: 'TLSv1.3' }],
])('TLS by %j', (text, expected) => {
  const { tls } = read(`[client]\nuser=u\n${text}\n`).client
  if (expected === undefined) expect(tls).toBeUndefined()
  else expect(tls).toMatchObject(expected)
})

test('--tls.insecure-skip-verify holds for all sections', () => {
  const { settings } = read('[client]\nuser=u\n[o]\nuser=o\nssl-ca=/ca\n', { tlsInsecureSkipVerify: true })
  for (const name of ['client', 'o']) expect(settings.get(name)!.tls).toMatchObject({ isVerified: false, isRequired: true })
})

test.each([
  ['port=0', 'want a port from 1 to 65535, got "0"'],
  ['port=65536', 'want a port from 1 to 65535, got "65536"'],
  ['tls=perhaps', 'tls: want true, false, skip-verify or preferred, got "perhaps"'],
  ['tls=true\nssl-cert=/c', 'ssl-cert and ssl-key: want both or none, got one'],
  ['tls=true\ntls-min-version=SSL3', 'tls-min-version: want TLS1.0 to TLS1.3, got "SSL3"'],
])('%j is a problem of its section', (text, reason) => {
  const { problems, settings } = read(`[client]\nuser=u\n[client.x]\n${text}\n`)
  expect(problems[0]).toContain(reason)
  expect([...settings.keys()]).toEqual(['client'])
})

test('the last and the first port are taken', () => {
  for (const port of [1, 65_535]) expect(read(`[client]\nuser=u\nport=${port}\n`).client.address).toMatchObject({ port })
})

test('a section without an end is refused with its line', () => {
  expect(() => parseCnf('[client]\nuser=u\n[x\n', {})).toThrow('line 3: want [section], got "[x"')
})
