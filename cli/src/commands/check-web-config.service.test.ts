import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkWebConfigs } from './check-web-config.ts'

// Beside promtool: the same files, the same verdicts; the same words but where the reader of the configuration has its own.

const temporary = makeTemporaryDirectory()
afterAll(() => temporary.remove())
const path = (name: string) => join(temporary.path, name)

beforeAll(() => {
  const openssl = (...args: readonly string[]) => expect(spawnSync('openssl', args, { cwd: temporary.path }).status).toBe(0)
  const curve = 'ec_paramgen_curve:prime256v1'
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    curve,
    '-nodes',
    '-keyout',
    'key.pem',
    '-out',
    'cert.pem',
    '-days',
    '2',
    '-subj',
    '/CN=x',
  )
  openssl('ecparam', '-genkey', '-name', 'prime256v1', '-out', 'other.pem', '-noout')
})

function check(text: string) {
  writeFileSync(path('web.yml'), text)
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'web-config', path('web.yml')], { encoding: 'utf8' })
  let [out, err] = ['', '']
  const exitCode = checkWebConfigs([path('web.yml')], { out: (line) => (out += `${line}\n`), err: (line) => (err += `${line}\n`) })
  return { ours: { status: exitCode, stdout: out, stderr: err }, theirs: { status, stdout, stderr } }
}

const tls = (rest: string) => `tls_server_config: {${rest}}`
const pair = 'cert_file: cert.pem, key_file: key.pem'

describe('check web-config has the lines of promtool for', () => {
  it.each([
    '',
    tls(''),
    tls(pair),
    tls(`${pair}, client_ca_file: cert.pem, client_auth_type: RequireAndVerifyClientCert`),
    tls('cert_file: nothing.pem, key_file: key.pem'),
    tls('cert_file: cert.pem, key_file: nothing.pem'),
    tls('cert_file: cert.pem, key_file: other.pem'),
    'basic_auth_users: {a: $2a$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234}',
    'basic_auth_usr: {a: b}',
  ])('%s', (text) => {
    const { ours, theirs } = check(text)
    expect(ours).toEqual(theirs)
  })
})

describe('check web-config refuses what promtool refuses, and says where it is:', () => {
  it.each([
    [tls('cert_file: cert.pem'), 'missing one of key or key_file', ':1:'],
    ['# first\nbasic_auth_users: {a: b}', 'password of "a" is not a bcrypt hash', ':2:'],
    ['http_server_config: {headers: {X-Y: z}}', 'HTTP header "X-Y" can not be configured', ':1:'],
    [tls(`${pair}, client_ca_file: cert.pem`), "Client CA's have been configured without a Client Auth Policy", ':1:'],
  ])('%s', (text, problem, place) => {
    const { ours, theirs } = check(text)
    expect([ours.status, theirs.status]).toEqual([1, 1])
    expect(ours.stderr).toContain(`${path('web.yml')} FAILED: `)
    expect(ours.stderr).toContain(problem)
    expect(ours.stderr).toContain(`\n    at ${path('web.yml')}${place}`)
  })

  it.each([
    'a: [',
    tls('min_version: TLS9'),
    tls('cert_file: key.pem, key_file: key.pem'),
    tls(`${pair}, client_ca_file: x.pem, client_auth_type: RequireAndVerifyClientCert`),
  ])('%s', (text) => {
    const { ours, theirs } = check(text)
    expect([ours.status, theirs.status]).toEqual([1, 1])
  })
})

it('every file has its line, and one that fails makes the whole fail', () => {
  writeFileSync(path('good.yml'), '')
  writeFileSync(path('bad.yml'), 'x: y')
  const lines: string[] = []
  expect(checkWebConfigs([path('bad.yml'), path('good.yml')], { out: () => {}, err: (line) => lines.push(line) })).toBe(1)
  expect(lines.map((line) => line.split('\n')[0]!.replace(/^.*\//, ''))).toEqual([
    'bad.yml FAILED: yaml: unmarshal errors:',
    'good.yml SUCCESS',
  ])
})
