import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@narthex/service/logger'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CredentialsChain } from './credentials-chain.ts'
import { serviceRules } from './known-services.ts'
import { noFacts } from './process-facts.ts'
import type { ProcessFacts } from './process-facts.ts'
import type { FoundService } from './scanner.ts'
import { readClientSection, readRedisConfig } from './service-files.ts'

let directory: string
let lines: string[]
let chain: CredentialsChain

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-credentials-'))
  lines = []
  chain = createChain(false)
})

afterEach(() => rmSync(directory, { recursive: true }))

function createChain(readServiceConfigs: boolean): CredentialsChain {
  const log = createLogger({ write: (line) => void lines.push(line) })
  return new CredentialsChain({ directory: join(directory, 'c'), readServiceConfigs, log })
}

function write(name: string, text: string, mode = 0o600): void {
  mkdirSync(join(directory, 'c'), { recursive: true })
  writeFileSync(join(directory, 'c', name), text, { mode })
}

const service = (name: string, port: number): FoundService => {
  const rule = serviceRules.find((known) => known.service === name)!
  const process = { pid: 10, comm: name, exeName: name, netns: undefined, rule, firstSeenMs: 0 }
  const tcp = [{ host: '127.0.0.1', port, inode: 1 }]
  return { key: '', rule, process, startTimeMs: 0, matchedBy: 'name', tcp, unix: [], isOwnNamespace: true }
}

const find = async (port: number, facts: Partial<ProcessFacts> = {}): Promise<string | undefined> => {
  const found = await chain.find(service('mysql', port), { ...noFacts, ...facts })
  return found === undefined ? undefined : `${found.username}:${found.password}`
}

test('the file of a port comes before the file of the service', async () => {
  write('mysql.yml', 'username: any\npassword: a\n')
  write('mysql-3307.yml', 'username: one\npassword: b\n')
  expect(await find(3306)).toBe('any:a')
  expect(await find(3307)).toBe('one:b')
  expect(await chain.find(service('redis', 6379), noFacts)).toBeUndefined()
})

test('a password file is relative to the directory and read every time', async () => {
  write('mysql.yml', 'username: u\npassword_file: secret\n')
  write('secret', 'first\n')
  expect(await find(1)).toBe('u:first')
  write('secret', 'second')
  expect(await find(1)).toBe('u:second')
})

test('a file that changes is read again', async () => {
  write('mysql.yml', 'username: a\n')
  expect(await find(1)).toBe('a:')
  write('mysql.yml', 'username: b\n')
  utimesSync(join(directory, 'c/mysql.yml'), 1, 1)
  expect(await find(1)).toBe('b:')
})

test.each([
  ['user: mysql', { user: 'mysql' }],
  ['user: "102"', { uid: '102' }],
  ['exe: /usr/sbin/mysqld', { exe: '/usr/sbin/mysqld' }],
  ['container_id: a1b2', { containerId: 'a1b2c3' }],
  ['address: "127.0.0.1:3306"', {}],
])('only {%s} tells no other process', async (only, facts) => {
  write('mysql.yml', `username: u\nonly: {${only}}\n`)
  expect(await find(3306, facts)).toBe('u:')
  expect(await find(3307, { user: 'mallory', uid: '1000', exe: '/home/mallory/mysqld' })).toBeUndefined()
})

test('a bad file is told once, with its place and without its secrets', async () => {
  write('mysql.yml', 'password: hunter2\npasword: hunter2\n')
  expect(await find(1)).toBeUndefined()
  expect(await find(1)).toBeUndefined()
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('mysql.yml:2:1: field pasword not found')
  expect(lines[0]).not.toContain('hunter2')
})

test('a file that every user can read is used, with a warning', async () => {
  write('mysql.yml', 'username: u\n', 0o644)
  expect(await find(1)).toBe('u:')
  expect(lines.join('')).toContain('can be read by every user')
})

test('relabeling chooses files by name, within the directory', async () => {
  write('shop.yml', 'username: shop\nonly: {user: mysql}\n')
  const named = (name: string, user: string) => chain.findNamed(name, service('mysql', 1), { ...noFacts, user })
  expect(await named('shop', 'mysql')).toMatchObject({ username: 'shop' })
  await expect(named('shop', 'mallory')).rejects.toThrow('has no such file for this process')
  for (const name of ['../c/shop', '.shop', '/etc/passwd', '']) await expect(named(name, 'mysql')).rejects.toThrow('want a file name')
})

test('own files of a service are read where that is allowed, as the process sees them', async () => {
  const facts = { ...noFacts, rootPath: join(directory, 'root') }
  mkdirSync(join(directory, 'root/etc/mysql'), { recursive: true })
  writeFileSync(join(directory, 'root/etc/mysql/debian.cnf'), '[client]\nuser = debian-sys-maint\npassword = "p w"\n')
  expect(await chain.find(service('mysql', 1), facts)).toBeUndefined()
  expect(await createChain(true).find(service('mysql', 1), facts)).toEqual({
    username: 'debian-sys-maint',
    password: 'p w',
    source: '/etc/mysql/debian.cnf',
  })
})

test('my.cnf: only the client section, and only with both', () => {
  expect(readClientSection('[mysqld]\nuser=mysql\npassword=x\n')).toBeUndefined()
  expect(readClientSection('[client]\nuser=a\n[mysql]\npassword=x\n')).toBeUndefined()
  expect(readClientSection("[ client ]\n# user=b\nuser=a\npassword='x'\n")).toEqual({ username: 'a', password: 'x' })
})

test('redis.conf: only of the file whose port it is', () => {
  const text = 'port 7000\n# requirepass no\nrequirepass "p w"\n'
  expect(readRedisConfig(text, service('redis', 7000))).toEqual({ username: '', password: 'p w' })
  expect(readRedisConfig(text, service('redis', 6379))).toBeUndefined()
  expect(readRedisConfig('requirepass x\n', service('redis', 6379))).toEqual({ username: '', password: 'x' })
  expect(readRedisConfig('port 7000\n', service('redis', 7000))).toBeUndefined()
})
