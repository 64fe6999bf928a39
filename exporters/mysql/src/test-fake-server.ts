import { createHash, constants, privateDecrypt, randomBytes } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import { TLSSocket, createSecureContext } from 'node:tls'

// A server that speaks just enough of the protocol to log in and to answer: for authentication plug-ins, TLS and versions that no
// package of the test machine has.

export interface FakeServerOptions {
  readonly version?: string
  readonly plugin?: string
  readonly password?: string
  /** Answers caching_sha2_password's first token with "send me the password", as after a restart. */
  readonly wantsFullAuthentication?: boolean
  /** Public and private key for passwords over plain TCP, PEM. */
  readonly rsa?: { readonly publicKey: string; readonly privateKey: string }
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Answers by statement; others get an empty OK. `raw` is sent as it is. */
  readonly answers?: Readonly<Record<string, Answer>>
  /** Asked before `answers`. */
  readonly answerTo?: (sql: string) => Answer | undefined
  /** Stands in for the greeting and everything after it. */
  readonly onConnection?: (socket: Socket) => void
}

export type Answer =
  | { readonly columns: readonly string[]; readonly rows: readonly (readonly (string | null)[])[] }
  | { readonly errno: number; readonly message: string }
  | { readonly raw: Buffer }
  | 'silence'

export interface FakeServer {
  readonly port: number
  /** Statements in the order of their arrival. */
  readonly statements: string[]
  /** Bytes that clients sent after the greeting, TLS taken off. */
  received(): Buffer
  close(): void
}

const tlsFlag = 0x800
const flags = 0x00000001 | 0x00000004 | 0x00000200 | 0x00002000 | 0x00008000 | 0x00080000

export async function startFakeServer(options: FakeServerOptions = {}, host = '127.0.0.1'): Promise<FakeServer> {
  const statements: string[] = []
  const received: Buffer[] = []
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.setNoDelay(true)
    if (options.onConnection === undefined) new FakeSession(socket, options, statements, received).greet()
    else options.onConnection(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('cannot start a fake server: want a port, got none')
  return {
    port: address.port,
    statements,
    received: () => Buffer.concat(received),
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

class FakeSession {
  readonly #options: FakeServerOptions
  readonly #statements: string[]
  readonly #received: Buffer[]
  readonly #scramble = randomBytes(20).map((byte) => (byte % 90) + 33)
  #socket: Socket
  #sequence = 0
  #buffer = Buffer.alloc(0)
  #state: 'response' | 'more' | 'key' | 'commands' = 'response'

  constructor(socket: Socket, options: FakeServerOptions, statements: string[], received: Buffer[]) {
    this.#socket = socket
    this.#options = options
    this.#statements = statements
    this.#received = received
  }

  greet(): void {
    const { plugin = 'mysql_native_password', tls, version = '8.0.36' } = this.#options
    const capabilities = Buffer.alloc(4)
    capabilities.writeUInt32LE((flags | (tls === undefined ? 0 : tlsFlag)) >>> 0)
    this.#listen()
    this.#send(
      Buffer.concat([
        Buffer.from([10]),
        Buffer.from(`${version}\0`),
        Buffer.from([1, 0, 0, 0]),
        this.#scramble.subarray(0, 8),
        Buffer.from([0]),
        capabilities.subarray(0, 2),
        Buffer.from([45, 2, 0]),
        capabilities.subarray(2),
        Buffer.from([21, ...Array.from({ length: 10 }, () => 0)]),
        this.#scramble.subarray(8),
        Buffer.from(`\0${plugin}\0`),
      ]),
    )
  }

  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk)
      this.#buffer = Buffer.concat([this.#buffer, chunk])
      while (this.#buffer.length >= 4) {
        const end = 4 + this.#buffer.readUIntLE(0, 3)
        if (this.#buffer.length < end) return
        this.#sequence = this.#buffer[3]! + 1
        const body = this.#buffer.subarray(4, end)
        this.#buffer = this.#buffer.subarray(end)
        this.#take(body)
      }
    })
  }

  #take(body: Buffer): void {
    if (this.#state === 'commands') return this.#command(body)
    if (this.#state === 'key') return this.#checkSecret(decrypt(body, this.#options.rsa!.privateKey, this.#scramble))
    if (this.#state === 'more') {
      if (!body.equals(Buffer.from([2]))) return this.#checkSecret(body)
      this.#state = 'key'
      return this.#send(Buffer.concat([Buffer.from([1]), Buffer.from(this.#options.rsa!.publicKey)]))
    }
    if (body.length === 32 && this.#options.tls !== undefined) return this.#startTls(this.#options.tls)
    this.#checkResponse(body)
  }

  #startTls(tls: { readonly key: string; readonly cert: string }): void {
    this.#socket.removeAllListeners('data')
    // The client's first TLS bytes may have come with the request.
    this.#socket.pause()
    this.#socket.unshift(this.#buffer)
    this.#buffer = Buffer.alloc(0)
    const secure = new TLSSocket(this.#socket, { isServer: true, secureContext: createSecureContext({ ...tls }) })
    secure.on('error', () => {})
    this.#socket = secure
    this.#listen()
  }

  #checkResponse(body: Buffer): void {
    const { password = '', plugin, wantsFullAuthentication } = this.#options
    const userEnd = body.indexOf(0, 32)
    const length = body[userEnd + 1]!
    const token = body.subarray(userEnd + 2, userEnd + 2 + length)
    if (plugin === 'caching_sha2_password') {
      if (wantsFullAuthentication === true) {
        this.#state = 'more'
        return this.#send(Buffer.from([1, 4]))
      }
      if (!token.equals(sha2Token(password, this.#scramble))) return this.#refuse()
      this.#send(Buffer.from([1, 3]))
      return this.#accept()
    }
    if (plugin !== undefined && plugin !== 'mysql_native_password') {
      this.#state = 'more'
      return this.#send(Buffer.concat([Buffer.from([0xfe]), Buffer.from(`${plugin}\0`), this.#scramble, Buffer.from([0])]))
    }
    if (password !== '' && !token.equals(nativeToken(password, this.#scramble))) return this.#refuse()
    this.#accept()
  }

  #checkSecret(secret: Buffer): void {
    if (secret.equals(Buffer.from(`${this.#options.password ?? ''}\0`))) this.#accept()
    else this.#refuse()
  }

  #accept(): void {
    this.#state = 'commands'
    this.#ok()
  }

  #refuse(): void {
    this.#error(1045, `Access denied for user 'u'@'h' (using password: YES)`)
    this.#socket.end()
  }

  #command(body: Buffer): void {
    if (body[0] === 1) return void this.#socket.end()
    if (body[0] !== 3) return this.#ok()
    const sql = body.subarray(1).toString()
    this.#statements.push(sql)
    const fallback: Answer =
      sql === 'SELECT @@version' ? { columns: ['@@version'], rows: [[this.#options.version ?? '8.0.36']] } : emptyAnswer
    const answer = this.#options.answerTo?.(sql) ?? this.#options.answers?.[sql] ?? fallback
    if (answer === 'silence') return
    if ('raw' in answer) return void this.#socket.write(answer.raw)
    if ('errno' in answer) return this.#error(answer.errno, answer.message)
    if (answer.columns.length === 0) return this.#ok()
    this.#send(Buffer.from([answer.columns.length]))
    for (const column of answer.columns) this.#send(columnDefinition(column))
    this.#send(Buffer.from([0xfe, 0, 0, 2, 0]))
    for (const row of answer.rows) this.#send(Buffer.concat(row.map((cell) => (cell === null ? Buffer.from([0xfb]) : lengthCoded(cell)))))
    this.#send(Buffer.from([0xfe, 0, 0, 2, 0]))
  }

  #ok(): void {
    this.#send(Buffer.from([0, 0, 0, 2, 0, 0, 0]))
  }

  #error(errno: number, message: string): void {
    this.#send(Buffer.concat([Buffer.from([0xff, errno & 0xff, errno >> 8]), Buffer.from(`#28000${message}`)]))
  }

  #send(body: Buffer): void {
    const header = Buffer.alloc(4)
    header.writeUIntLE(body.length, 0, 3)
    header[3] = this.#sequence++ & 0xff
    this.#socket.write(Buffer.concat([header, body]))
  }
}

const emptyAnswer: Answer = { columns: [], rows: [] }

function lengthCoded(text: string): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length < 251) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  return Buffer.concat([Buffer.from([0xfc, bytes.length & 0xff, bytes.length >> 8]), bytes])
}

function columnDefinition(name: string): Buffer {
  const texts = ['def', '', '', '', name, ''].map(lengthCoded)
  return Buffer.concat([...texts, Buffer.from([12, 45, 0, 255, 255, 0, 0, 253, 0, 0, 0, 0, 0])])
}

function sha(name: string, ...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash(name)
  for (const part of parts) hash.update(part)
  return hash.digest()
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ b[index % b.length]!))
}

function sha2Token(password: string, scramble: Uint8Array): Buffer {
  const once = sha('sha256', Buffer.from(password))
  return xor(once, sha('sha256', sha('sha256', once), scramble))
}

function nativeToken(password: string, scramble: Uint8Array): Buffer {
  const once = sha('sha1', Buffer.from(password))
  return xor(once, sha('sha1', scramble, sha('sha1', once)))
}

function decrypt(body: Buffer, privateKey: string, scramble: Uint8Array): Buffer {
  return xor(privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, body), scramble)
}
