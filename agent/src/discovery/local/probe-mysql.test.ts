import { constants, createHash, generateKeyPairSync, privateDecrypt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { Endpoint } from './endpoints.ts'
import { probeMysql } from './probe-mysql.ts'
import { error, FakeMysql, ok, salt, switchTo } from './testkit/fake-mysql.ts'

const credentials = { username: 'exporter', password: 'hunter2', source: '/c/mysql.yml' }
const servers: { close(): void }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function start(options: ConstructorParameters<typeof FakeMysql>[0]): Promise<{ server: FakeMysql; endpoint: Endpoint }> {
  const server = new FakeMysql(options)
  servers.push(server)
  const port = await server.listen()
  return { server, endpoint: { kind: 'tcp', host: '127.0.0.1', port, listener: { host: '127.0.0.1', port, inode: 1 } } }
}

async function untilEnded({ ends }: FakeMysql): Promise<void> {
  while (ends.length === 0) await new Promise((resolve) => setImmediate(resolve))
}

const sha1 = (...parts: Buffer[]): Buffer => createHash('sha1').update(Buffer.concat(parts)).digest()
const sha256 = (...parts: Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()
const xor = (a: Buffer, b: Buffer): Buffer => Buffer.from(a.map((byte, index) => byte ^ b[index % b.length]!))
const nativeProof = xor(sha1(Buffer.from('hunter2')), sha1(salt, sha1(sha1(Buffer.from('hunter2')))))

test('comes in with a password and says goodbye', async () => {
  const { server, endpoint } = await start({ answers: [ok] })
  expect(await probeMysql(endpoint, credentials, 2000)).toMatchObject({
    kind: 'confirmed',
    address: { username: 'exporter', password: 'hunter2' },
  })
  await untilEnded(server)
  expect(server.ends).toEqual(['quit'])
  const { sequence, payload } = server.packets[0]!
  expect(sequence).toBe(1)
  expect(payload.subarray(32).toString('latin1')).toBe(`exporter\0\x14${nativeProof.toString('latin1')}mysql_native_password\0`)
  expect(server.packets[1]).toEqual({ sequence: 0, payload: Buffer.from([1]) })
})

test('comes as the user of this process and without a password where it has no credentials', async () => {
  const { server, endpoint } = await start({ plugin: 'caching_sha2_password', answers: [error(1045, 'Access denied')] })
  expect(await probeMysql(endpoint, undefined, 2000)).toMatchObject({ kind: 'needs-credentials', reason: 'Access denied' })
  await untilEnded(server)
  expect(server.ends).toEqual(['refused'])
  expect(server.packets[0]!.payload.subarray(32).toString('latin1')).toMatch(/^[^\0]+\0\0caching_sha2_password\0$/)
})

test.each(['mysql_native_password', 'caching_sha2_password', 'client_ed25519', 'auth_socket', ''])(
  'finishes the handshake when the server wants %j instead',
  async (plugin) => {
    const { server, endpoint } = await start({ plugin: 'sha256_password', answers: [switchTo(plugin), error(1045, 'Access denied')] })
    expect(await probeMysql(endpoint, credentials, 2000)).toMatchObject({
      kind: 'needs-credentials',
      reason: '/c/mysql.yml: Access denied',
    })
    await untilEnded(server)
    expect(server.ends).toEqual(['refused'])
    const proofs: Record<string, Buffer> = {
      mysql_native_password: nativeProof,
      caching_sha2_password: xor(sha256(Buffer.from('hunter2')), sha256(sha256(sha256(Buffer.from('hunter2'))), salt)),
    }
    expect(server.packets[1]).toEqual({ sequence: 3, payload: proofs[plugin] ?? Buffer.alloc(0) })
  },
)

test('asks for the key of a server that wants the password, where others could listen', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = Buffer.concat([Buffer.from([1]), Buffer.from(publicKey.export({ type: 'spki', format: 'pem' }))])
  const { server, endpoint } = await start({ plugin: 'caching_sha2_password', answers: [Buffer.from([1, 4]), pem, ok] })
  expect(await probeMysql(endpoint, credentials, 2000)).toMatchObject({ kind: 'confirmed' })
  expect(server.packets[1]!.payload).toEqual(Buffer.from([2]))
  const hidden = privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING }, server.packets[2]!.payload)
  expect(xor(hidden, salt).toString()).toBe('hunter2\0')
})

test('gives the password to the server on a unix socket, and takes its word that it knows it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-mysql-'))
  const server = new FakeMysql({ plugin: 'caching_sha2_password', answers: [Buffer.from([1, 4]), Buffer.from([1, 3])] })
  servers.push(server)
  await server.listen(join(directory, 's'))
  const probe = probeMysql({ kind: 'unix', path: join(directory, 's') }, credentials, 300)
  await expect(probe).rejects.toThrow('no answer')
  expect(server.packets[1]!.payload.toString()).toBe('hunter2\0')
  rmSync(directory, { recursive: true })
})

test.each([
  [1129, 'not-reachable'],
  [1130, 'needs-credentials'],
  [1040, 'not-reachable'],
])('understands a server that refuses with %i before it greets', async (code, kind) => {
  const { server, endpoint } = await start({
    answers: [],
    refusal: Buffer.concat([Buffer.from([0xff, code & 255, code >> 8]), Buffer.from('No')]),
  })
  expect(await probeMysql(endpoint, undefined, 2000)).toMatchObject({ kind, reason: 'No' })
  expect(server.packets).toEqual([])
})

test.each([
  ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['an old protocol', Buffer.from([2, 0, 0, 0, 9, 0])],
  ['an empty packet', Buffer.from([0, 0, 0, 0])],
  ['too much', Buffer.alloc(70_000, 0xff)],
])('does not take %s for MySQL, and says nothing', async (_name, bytes) => {
  let received = 0
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => (received += chunk.length))
    socket.end(bytes)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const endpoint: Endpoint = { kind: 'tcp', host: '127.0.0.1', port, listener: { host: '127.0.0.1', port, inode: 1 } }
  const result = await probeMysql(endpoint, credentials, 1000).catch((failure: Error) => ({ kind: 'failed', reason: failure.message }))
  expect(['other', 'failed']).toContain(result.kind)
  expect(received).toBe(0)
})
