import { createConnection, type Socket } from 'node:net'
import { encodeMethodCall, errorReply, fixedHeaderBytes, methodReturn, readMessageHead, readMessageLength } from './message.ts'
import { MessageReader } from './message.ts'

/** Calls that wait for their replies at once; further ones wait for their turn. */
const pendingCallsMax = 64

/** Where method calls go. */
export interface DbusObject {
  readonly destination: string
  readonly path: string
  readonly interface: string
}

export interface DbusOptions {
  readonly socketPath: string
  /** False for a program that is spoken to directly: it has no Hello and no destinations. */
  readonly isBus: boolean
  readonly signal: AbortSignal
}

/** What a call gave: its signature, and a reader before the first value. */
export interface DbusReply {
  readonly signature: string
  readonly reader: MessageReader
}

/** A peer's refusal of one call: the connection is still good. */
export class DbusError extends Error {
  override name = 'DbusError'
  /** `org.freedesktop.DBus.Error.UnknownProperty` and the like. */
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

interface Pending {
  readonly what: string
  readonly resolve: (reply: DbusReply) => void
  readonly reject: (error: Error) => void
}

/**
 * A client of D-Bus on a Unix socket: calls with strings as arguments, many at once over one connection, written and read in large pieces.
 * It asks and never serves: calls and signals that arrive are skipped.
 */
export class DbusConnection {
  readonly #socket: Socket
  readonly #isBus: boolean
  readonly #pending = new Map<number, Pending>()
  readonly #waiting: (() => void)[] = []
  #output: Buffer[] = []
  #input: Buffer = Buffer.alloc(0)
  #inputWanted = fixedHeaderBytes
  #chunks: Buffer[] = []
  #chunkBytes = 0
  #serial = 0
  #failure: Error | undefined

  private constructor(socket: Socket, isBus: boolean) {
    this.#socket = socket
    this.#isBus = isBus
    // A connection that is kept between scrapes must not keep the process alive.
    socket.unref()
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the peer closed the connection')))
  }

  /** Connects and authenticates as the user that this process runs as. Throws if that fails, or once `signal` aborts. */
  static async open({ socketPath, isBus, signal }: DbusOptions): Promise<DbusConnection> {
    const socket = createConnection(socketPath)
    const abort = (): void => void socket.destroy(new Error('want an answer before the scrape ends, got none'))
    signal.addEventListener('abort', abort)
    try {
      if (signal.aborted) abort()
      const rest = await authenticate(socket)
      const connection = new DbusConnection(socket, isBus)
      socket.on('data', (chunk: Buffer) => connection.#read(chunk))
      if (rest.length > 0) connection.#read(rest)
      socket.resume()
      if (isBus) await connection.call({ destination: busName, path: '/org/freedesktop/DBus', interface: busName }, 'Hello')
      return connection
    } catch (error) {
      socket.destroy()
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`cannot connect to D-Bus at ${socketPath}: ${reason}`, { cause: error })
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  get isOpen(): boolean {
    return this.#failure === undefined
  }

  /** Calls a method whose arguments are strings. Throws a DbusError if the peer refuses, another error if the connection is lost. */
  async call(target: DbusObject, member: string, ...args: readonly string[]): Promise<DbusReply> {
    while (this.#pending.size >= pendingCallsMax) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.#failure !== undefined) throw this.#failure
    const serial = (this.#serial = (this.#serial % 0xffffffff) + 1)
    const { destination, ...place } = target
    const bytes = encodeMethodCall({ serial, ...place, member, args, ...(this.#isBus ? { destination } : {}) })
    return new Promise((resolve, reject) => {
      this.#pending.set(serial, { what: `${member} of ${target.path}`, resolve, reject })
      // Calls that are made in one go leave in one piece.
      if (this.#output.length === 0) queueMicrotask(() => this.#flush())
      this.#output.push(bytes)
    })
  }

  /** A property of a basic type, as `MessageReader.variant` gives it. */
  async getProperty(target: DbusObject, name: string): Promise<string | number | bigint | boolean> {
    const { reader } = await this.call({ ...target, interface: 'org.freedesktop.DBus.Properties' }, 'Get', target.interface, name)
    return reader.variant()
  }

  close(reason = new Error('the connection was closed')): void {
    this.#fail(reason)
  }

  #flush(): void {
    const output = this.#output
    this.#output = []
    if (this.#failure === undefined) this.#socket.write(output.length === 1 ? output[0]! : Buffer.concat(output))
  }

  // Chunks are put together only when a whole message is there, so that a long one is copied once.
  #read(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#chunkBytes += chunk.length
    if (this.#input.length + this.#chunkBytes < this.#inputWanted) return
    this.#input = Buffer.concat([this.#input, ...this.#chunks])
    this.#chunks = []
    this.#chunkBytes = 0
    try {
      this.#input = this.#input.subarray(this.#readMessages())
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Takes the whole messages of the input; the offset behind them. */
  #readMessages(): number {
    const input = this.#input
    let offset = 0
    for (;;) {
      this.#inputWanted = fixedHeaderBytes
      if (input.length - offset < fixedHeaderBytes) return offset
      const length = readMessageLength(input, offset)
      this.#inputWanted = length
      if (input.length - offset < length) return offset
      this.#take(input.subarray(offset, offset + length))
      offset += length
    }
  }

  #take(message: Buffer): void {
    const head = readMessageHead(message)
    if (head.type !== methodReturn && head.type !== errorReply) return
    const pending = this.#pending.get(head.replySerial)
    if (pending === undefined) return
    const reader = new MessageReader(message, head.bodyStart)
    // Read before the call counts as answered: a text that cannot be read ends the connection, and with it all calls that wait.
    const text = head.type === errorReply && head.signature.startsWith('s') ? reader.string() : head.errorName
    this.#pending.delete(head.replySerial)
    this.#waiting.shift()?.()
    if (head.type === methodReturn) pending.resolve({ signature: head.signature, reader })
    else pending.reject(new DbusError(head.errorName, `cannot call ${pending.what}: ${text}`))
  }

  #fail(reason: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = reason
    this.#socket.destroy()
    this.#chunks = []
    this.#input = Buffer.alloc(0)
    for (const { what, reject } of this.#pending.values()) reject(new Error(`cannot call ${what}: ${reason.message}`, { cause: reason }))
    this.#pending.clear()
    for (const resume of this.#waiting.splice(0)) resume()
  }
}

const busName = 'org.freedesktop.DBus'
const authLineBytesMax = 16 * 1024

/** SASL EXTERNAL: the kernel tells the peer who we are. Gives bytes that came behind the handshake. */
async function authenticate(socket: Socket): Promise<Buffer> {
  const userId = process.getuid?.() ?? 0
  const line = await new Promise<{ text: string; rest: Buffer }>((resolve, reject) => {
    let received = Buffer.alloc(0)
    const fail = (error: Error): void => {
      cleanUp()
      reject(error)
    }
    const end = (): void => fail(new Error('the peer closed the connection before it accepted'))
    const read = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk])
      const lineEnd = received.indexOf('\r\n')
      if (lineEnd < 0) {
        if (received.length > authLineBytesMax) fail(new Error(`want a line below ${authLineBytesMax} bytes, got a longer one`))
        return
      }
      cleanUp()
      // Whoever reads next attaches before more arrives.
      socket.pause()
      resolve({ text: received.toString('latin1', 0, lineEnd), rest: received.subarray(lineEnd + 2) })
    }
    const cleanUp = (): void => {
      socket.off('error', fail)
      socket.off('close', end)
      socket.off('data', read)
    }
    socket.on('error', fail)
    socket.on('close', end)
    socket.on('data', read)
    socket.write(`\0AUTH EXTERNAL ${Buffer.from(String(userId)).toString('hex')}\r\n`)
  })
  if (!line.text.startsWith('OK')) throw new Error(`want OK to EXTERNAL authentication as user ${userId}, got ${JSON.stringify(line.text)}`)
  socket.write('BEGIN\r\n')
  return line.rest
}
