import { Secret } from '@narthex/config/secret'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { ConnectionSettings, TlsSettings } from './connection-settings.ts'
import { answerBytesMax, openConnection, type MysqlConnection } from './connection.ts'
import { readText } from './query-result.ts'
import { startFakeServer, type FakeServer, type FakeServerOptions } from './test-fake-server.ts'

const password = 'tr0ub4dor&3'
const servers: FakeServer[] = []
const connections: MysqlConnection[] = []
let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-mysql-'))
  makeCertificate('right', 'DNS:localhost,IP:127.0.0.1')
  makeCertificate('wrong', 'DNS:db.example,IP:192.0.2.1')
})
afterAll(() => rmSync(directory, { recursive: true }))
afterEach(() => {
  for (const connection of connections.splice(0)) connection.destroy()
  for (const server of servers.splice(0)) server.close()
})

function makeCertificate(name: string, subjects: string): void {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${subjects}`]
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', path(`${name}.key`), '-out', path(`${name}.crt`)], {
    stdio: 'pipe',
  })
}

function path(name: string): string {
  return join(directory, name)
}

function pair(name: string): { key: string; cert: string } {
  return { key: readFileSync(path(`${name}.key`), 'utf8'), cert: readFileSync(path(`${name}.crt`), 'utf8') }
}

async function serve(options: FakeServerOptions): Promise<FakeServer> {
  const server = await startFakeServer(options)
  servers.push(server)
  return server
}

async function open(
  server: FakeServer,
  settings: Partial<ConnectionSettings> = {},
  timeoutMs = 5_000,
  bytesMax = answerBytesMax,
): Promise<MysqlConnection> {
  const connection = await openConnection(
    {
      address: { kind: 'tcp', host: '127.0.0.1', port: server.port },
      user: 'u',
      password: new Secret(password),
      cleartextAllowed: false,
      ...settings,
    },
    { statementsFor: () => [], onRefused: () => {}, bytesMax },
    timeoutMs,
  )
  connections.push(connection)
  return connection
}

const packet = (sequence: number, ...body: readonly number[]): Buffer => Buffer.from([body.length, 0, 0, sequence, ...body])

/** The message of the refusal, which must not have the password. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error('it was accepted'),
    (reason: unknown) => reason as Error,
  )
  expect(`${error.message} ${JSON.stringify(error)}`).not.toContain(password)
  return error.message
}

describe('logging in', () => {
  test.each(['mysql_native_password', 'caching_sha2_password'])('%s takes the right password and no other', async (plugin) => {
    const server = await serve({ plugin, password })
    const connection = await open(server)
    expect(connection.version).toEqual({ isMariadb: false, parts: [8, 0, 36] })
    expect(await refusal(open(server, { password: new Secret('wrong') }))).toContain('Access denied')
    expect(server.received().toString('latin1')).not.toContain(password)
  })

  test('caching_sha2_password sends an unknown password encrypted with the key of the server', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const rsa = {
      publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    }
    const server = await serve({ plugin: 'caching_sha2_password', password, wantsFullAuthentication: true, rsa })
    expect((await open(server)).isUsable).toBe(true)
    expect(server.received().toString('latin1')).not.toContain(password)
  })

  test('a clear password is sent only where that is allowed', async () => {
    const server = await serve({ plugin: 'mysql_clear_password', password })
    expect(await refusal(open(server))).toBe('the server wants the password as clear text, which is not allowed')
    expect(server.received().toString('latin1')).not.toContain(password)
    expect((await open(server, { cleartextAllowed: true })).isUsable).toBe(true)
  })

  test('a plug-in that is not built is named', async () => {
    const server = await serve({ plugin: 'auth_gssapi_client' })
    expect(await refusal(open(server))).toBe('the server wants authentication plugin auth_gssapi_client, which is not built yet')
  })

  test.each(['client_ed25519', 'parsec'])('a challenge that is too short for %s ends the login', async (plugin) => {
    expect(await refusal(open(await serve({ plugin })))).toMatch(/^cannot log in: want a challenge of 32 bytes, got 2[01]$/)
  })

  test('a server that says nothing is given up in time', async () => {
    const server = await serve({ onConnection: () => {} })
    expect(await refusal(open(server, {}, 50))).toBe('no answer within 50 ms')
    const mute = await serve({ answers: { 'SELECT @@version': 'silence' } })
    expect(await refusal(open(mute, {}, 50))).toBe('no answer within 50 ms')
  })

  test('statements that set the session up: one that may fail is reported, another one fails the login', async () => {
    const server = await serve({ answers: { 'SET a': { errno: 1193, message: `Unknown system variable 'a'` } } })
    const refused: string[] = []
    const openWith = (isOptional: boolean): Promise<MysqlConnection> =>
      openConnection(
        { address: { kind: 'tcp', host: '127.0.0.1', port: server.port }, user: 'u', password: new Secret(''), cleartextAllowed: false },
        { statementsFor: () => [{ sql: 'SET a', isOptional }], onRefused: (sql, error) => refused.push(`${sql}: ${error.message}`) },
        5_000,
      )
    connections.push(await openWith(true))
    expect(refused).toEqual([`SET a: Unknown system variable 'a'`])
    await expect(openWith(false)).rejects.toThrow(`Unknown system variable 'a'`)
  })
})

describe('TLS', () => {
  const tls = (settings: Partial<TlsSettings> = {}): TlsSettings => ({
    isVerified: true,
    isRequired: true,
    caFile: path('right.crt'),
    ...settings,
  })

  test.each(['localhost', '127.0.0.1'])('a certificate for %s is accepted', async (host) => {
    const server = await serve({ tls: pair('right'), password })
    const connection = await open(server, { address: { kind: 'tcp', host, port: server.port }, tls: tls() })
    expect(connection.isUsable).toBe(true)
  })

  test.each(['localhost', '127.0.0.1'])('a certificate for another name than %s is refused before the login', async (host) => {
    const server = await serve({ tls: pair('wrong'), plugin: 'caching_sha2_password', password, wantsFullAuthentication: true })
    const attempt = open(server, { address: { kind: 'tcp', host, port: server.port }, tls: tls({ caFile: path('wrong.crt') }) })
    expect(await refusal(attempt)).toContain('altnames')
    expect(server.received().toString('latin1')).not.toContain(password)
  })

  test('the name to check can be given', async () => {
    const server = await serve({ tls: pair('wrong'), password })
    const settings = tls({ caFile: path('wrong.crt'), serverName: 'db.example' })
    expect((await open(server, { tls: settings })).isUsable).toBe(true)
  })

  test('an unknown authority is refused unless nothing is checked', async () => {
    const server = await serve({ tls: pair('wrong'), plugin: 'caching_sha2_password', password, wantsFullAuthentication: true })
    expect(await refusal(open(server, { tls: tls() }))).toContain('self-signed')
    expect((await open(server, { tls: { isVerified: false, isRequired: true } })).isUsable).toBe(true)
  })

  test('a server without TLS is refused, or spoken to without where TLS is only preferred', async () => {
    const server = await serve({ password })
    expect(await refusal(open(server, { tls: tls() }))).toBe('Server does not support secure connection')
    expect((await open(server, { tls: { isVerified: false, isRequired: false } })).isUsable).toBe(true)
  })

  test('a missing file is named', async () => {
    const server = await serve({ tls: pair('right') })
    expect(await refusal(open(server, { tls: tls({ caFile: '/nowhere/ca.pem' }) }))).toContain('/nowhere/ca.pem')
  })
})

describe('answers', () => {
  test('values are the texts of the server, NULL stays NULL', async () => {
    const rows = [['18446744073709551615', null, '', 'é"\n']]
    const server = await serve({ answers: { q: { columns: ['a', 'B', 'c', 'd'], rows } } })
    const result = await (await open(server)).query('q')
    expect(result.columns).toEqual(['a', 'B', 'c', 'd'])
    expect(result.rows[0]!.map((cell) => (cell === null ? null : readText(cell)))).toEqual(rows[0])
    expect(result.index('b')).toBe(1)
  })

  test('an error of the server leaves the connection usable', async () => {
    const server = await serve({ answers: { q: { errno: 1146, message: `Table 'x' doesn't exist` } } })
    const connection = await open(server)
    await expect(connection.query('q')).rejects.toThrow(`Table 'x' doesn't exist`)
    await connection.ping()
    expect(connection.isUsable).toBe(true)
  })

  test('an answer with more rows than asked for ends the connection, one with as many does not', async () => {
    const server = await serve({ answers: { q: { columns: ['a'], rows: [['1'], ['2']] } } })
    const connection = await open(server)
    expect((await connection.query('q', 2)).rows).toHaveLength(2)
    await expect(connection.query('q', 1)).rejects.toThrow('want an answer of at most 1 rows, got more')
    expect(connection.isUsable).toBe(false)
  })

  test('a statement that runs is rejected when the connection is destroyed', async () => {
    const connection = await open(await serve({ answers: { q: 'silence' } }))
    const running = connection.query('q')
    connection.destroy(new Error('enough'))
    await expect(running).rejects.toThrow('enough')
    await expect(connection.query('q')).rejects.toThrow('enough')
  })

  test('an answer beyond the limit ends the connection, one as large as the limit does not', async () => {
    const server = await serve({ answers: { q: { columns: ['a'], rows: [['x'.repeat(50_000)]] } } })
    // 5 bytes count the columns, 27 describe one, 9 and 9 are the ends, the row has 4 + 3 more than its text.
    const size = 5 + 27 + 9 + (4 + 3 + 50_000) + 9
    const answers: boolean[] = []
    for (const bytesMax of [size, size - 1]) {
      const connection = await open(server, {}, 5_000, bytesMax)
      const result = await connection.query('q').catch((error: unknown) => error)
      answers.push(connection.isUsable)
      if (!connection.isUsable) expect(String(result)).toContain(`want an answer of at most ${bytesMax} bytes, got more`)
    }
    expect(answers).toEqual([true, false])
    expect(answerBytesMax).toBe(32 * 1024 * 1024)
  })

  test('bytes that are no protocol are an error, whatever they are', async () => {
    // The driver prints what it thinks of each.
    const print = vi.spyOn(console, 'error').mockImplementation(() => {})
    // A small generator with a fixed seed: the same bytes every time.
    let state = 12_345
    const random = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16
    const junk = Array.from({ length: 60 }, (_, round) => {
      const bytes = Buffer.from(Array.from({ length: 4 + (random() % 120) }, () => random() & 0xff))
      // Every second time as one packet, so that it reaches what reads greetings and answers.
      if (round % 2 === 0) bytes.writeUIntLE(bytes.length - 4, 0, 3)
      return bytes
    })
    const check = async (bytes: Buffer): Promise<void> => {
      const server = await serve({ onConnection: (socket) => socket.end(bytes) })
      expect(await refusal(open(server, {}, 1_000))).not.toBe('it was accepted')
      const connection = await open(await serve({ answers: { q: { raw: bytes } } }))
      const running = connection.query('q').then(
        () => 'settled',
        () => 'settled',
      )
      // A length that promises more is waited for until the deadline of the scrape; `destroy` is what ends it then.
      await Promise.race([running, delay(20)])
      connection.destroy()
      expect(await Promise.race([running, delay(10_000)])).toBe('settled')
    }
    await Promise.all(junk.map(check))
    print.mockRestore()
  })
})

function delay(ms: number): Promise<string> {
  return new Promise((resolve) => setTimeout(() => resolve('waits'), ms))
}

test('packets that are out of order end the connection, and nothing is printed', async () => {
  const printed = vi.spyOn(console, 'error')
  const columns = [packet(1, 1), packet(2, 3, 100, 101, 102, 0, 0, 0, 1, 97, 0, 12, 45, 0, 255, 0, 0, 0, 253, 0, 0, 0, 0, 0)]
  const rows = Array.from({ length: 50 }, () => packet(9, 1, 97))
  const connection = await open(await serve({ password, answers: { 'SELECT 1': { raw: Buffer.concat([...columns, ...rows]) } } }))
  expect(await refusal(connection.query('SELECT 1'))).toBe('the packets of the server are out of order')
  expect(connection.isUsable).toBe(false)
  const greeting = { onConnection: (socket: Socket): void => void socket.write(Buffer.concat(rows)) }
  expect(await refusal(open(await serve(greeting)))).toBe('the packets of the server are out of order')
  expect(printed).not.toHaveBeenCalled()
  printed.mockRestore()
})

test('a value that cannot be read is an error, and nothing is printed', async () => {
  const printed = vi.spyOn(console, 'trace').mockImplementation(() => {})
  const column = [3, 100, 101, 102, 0, 0, 0, 1, 97, 0, 12, 45, 0, 255, 0, 0, 0, 253, 0, 0, 0, 0, 0]
  const head = [packet(1, 2), packet(2, ...column), packet(3, ...column), packet(4, 0xfe, 0, 0, 2, 0)]
  // The second value has a length that there is not.
  const raw = Buffer.concat([...head, packet(5, 1, 97, 0xff)])
  const connection = await open(await serve({ password, answers: { 'SELECT 1': { raw } } }))
  await refusal(connection.query('SELECT 1'))
  expect(printed).not.toHaveBeenCalled()
  printed.mockRestore()
})

test('an error that a server sends before it ends a connection is heard, whatever its number', async () => {
  const printed = vi.spyOn(console, 'error')
  const text = [...Buffer.from('#HY000disconnected by the server because of inactivity')]
  const connection = await open(await serve({ password, answers: { 'SELECT 1': { raw: packet(0, 0xff, 0xbf, 0x0f, ...text) } } }))
  expect(await refusal(connection.query('SELECT 1'))).toBe('disconnected by the server because of inactivity')
  expect(printed).not.toHaveBeenCalled()
  printed.mockRestore()
})
