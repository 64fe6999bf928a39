import { connect, type LookupFunction, type Socket } from 'node:net'
import { AnswerReader, type AnswerUse } from './answer-reader.ts'

const connectTimeoutMs = 10_000
const sendBytesKept = 256 * 1024
const sendBuffersKept = 8
const readBytes = 64 * 1024
const readersKept = 16
/** A socket with much to read is read up to 32 times in a turn of the event loop; not when what is done with it takes longer than this. */
const turnMsMax = 20

/** Where a connection goes: over TCP, or to a unix socket. */
export type Address =
  { readonly hostname: string; readonly port: number; readonly lookup: LookupFunction } | { readonly socketPath: string }

/** Who gave a connection its request. */
export interface ConnectionUser extends AnswerUse {
  /** The answer is whole and valid until it returns; the connection may be used again afterwards. */
  onWhole(reader: AnswerReader): void
  /** It did not come. `wasClosed`: the other side ended a connection that had carried answers before, and nothing of this one came. */
  onLost(error: Error, wasClosed: boolean): void
}

export interface ConnectionOwner {
  /** It waits for its next request. */
  onIdle(connection: Connection): void
  onGone(connection: Connection): void
}

/** The other side ended the connection. */
class EndedError extends Error {}

// What a socket reads is used up before the next one reads, so all share one buffer. Windows hands a buffer out for each pending read.
const sharedBuffer = process.platform === 'win32' ? undefined : new Uint8Array(readBytes)

// Idle connections need none.
const idleReaders: AnswerReader[] = []

// What a socket has handed to the kernel when `write` returns need not be kept, so one buffer mostly serves all. One that the kernel did not
// take whole stays with its connection until the answer is there. As garbage they would be megabytes that the collector does not hurry for.
const sendBuffers: Uint8Array<ArrayBuffer>[] = []

function takeSendBuffer(length: number): Uint8Array<ArrayBuffer> {
  const kept = sendBuffers.pop()
  return kept !== undefined && kept.length >= length ? kept : new Uint8Array(length + (length >> 2))
}

function giveSendBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  if (buffer.length <= sendBytesKept && sendBuffers.length < sendBuffersKept) sendBuffers.push(buffer)
}

/** One connection: one request after the other. */
export class Connection {
  /** Of its owner: the next one in a list of idle ones, and when it became idle. */
  next: Connection | undefined
  idleSinceMs = 0
  readonly host: string
  readonly #owner: ConnectionOwner
  readonly #socket: Socket
  #connectTimer: NodeJS.Timeout | undefined
  #reader: AnswerReader | undefined
  #user: ConnectionUser | undefined
  #hasAnswered = false
  #isKept = false
  /** What the socket has not handed to the kernel whole. */
  #unsent: Uint8Array<ArrayBuffer> | undefined
  #isReading = false
  #isGone = false
  #turnMs = 0
  #ownMs = 0

  constructor(host: string, address: Address, owner: ConnectionOwner) {
    this.host = host
    this.#owner = owner
    const buffer = sharedBuffer ?? new Uint8Array(readBytes)
    const callback = (length: number): boolean => {
      const started = performance.now()
      this.#read(buffer.subarray(0, length))
      const spentMs = performance.now() - started
      this.#turnMs += spentMs
      this.#ownMs += spentMs
      return this.#turnMs < turnMsMax || this.#pause()
    }
    const onread = { buffer, callback }
    this.#socket =
      'socketPath' in address
        ? connect({ path: address.socketPath, onread })
        : connect({ host: address.hostname, port: address.port, lookup: address.lookup, noDelay: true, keepAlive: true, onread })
    // Neither a timeout of the socket's nor an event of its own: each takes memory as long as the connection lives.
    this.#connectTimer = setTimeout(onConnectTimeout, connectTimeoutMs, this).unref()
    this.#socket.on('end', () => this.#onEnd())
    this.#socket.on('error', (error) => this.#leave(error))
    this.#socket.on('close', () => this.#leave(this.#lost()))
  }

  /** Sends `text`, Latin-1, and `body`, which may change when this returns, and reads the answer. */
  ask(user: ConnectionUser, text: string, body: Uint8Array | undefined): void {
    this.#hasAnswered = false
    this.#turnMs = 0
    this.#ownMs = 0
    this.#user = user
    this.#reader = idleReaders.pop() ?? new AnswerReader()
    this.#reader.begin(user)
    this.#socket.ref()
    if (body === undefined) this.#socket.write(text, 'latin1')
    else this.#send(text, body)
  }

  /** It should be connected by now. What an exchange waits for has its own limit. */
  expireConnect(): void {
    this.#connectTimer = undefined
    if (this.#socket.connecting) this.#leave(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' }))
  }

  /** Ends it, and with it the exchange that runs. */
  close(error: Error): void {
    this.#leave(error)
  }

  /** Head and body as one buffer: one write, and nothing new to allocate. */
  #send(text: string, body: Uint8Array): void {
    const length = text.length + body.length
    const sendBuffer = takeSendBuffer(length)
    const buffer = Buffer.from(sendBuffer.buffer, 0, length)
    buffer.write(text, 'latin1')
    buffer.set(body, text.length)
    this.#socket.write(buffer)
    if (this.#socket.writableLength > 0) this.#unsent = sendBuffer
    else giveSendBuffer(sendBuffer)
  }

  /** The rest is read in the next turn. */
  #pause(): false {
    const paused = performance.now()
    setImmediate(() => {
      this.#turnMs = 0
      this.#ownMs += performance.now() - paused
      if (!this.#isGone) this.#socket.resume()
    })
    return false
  }

  /** Milliseconds that the exchange took on this side since this was asked last: the other side is not to blame for them. */
  takeOwnMs(): number {
    const own = this.#ownMs
    this.#ownMs = 0
    return own
  }

  #read(bytes: Uint8Array): void {
    const reader = this.#reader
    // Bytes that nobody asked for.
    if (reader === undefined) return this.#leave(this.#lost())
    if (!this.#hasAnswered && this.#connectTimer !== undefined) this.#stopConnectTimer()
    this.#hasAnswered = true
    let isWhole = false
    this.#isReading = true
    try {
      isWhole = reader.push(bytes)
    } catch (error) {
      this.#leave(error instanceof Error ? error : new Error(String(error)))
    }
    this.#isReading = false
    // Whoever takes pieces may give up in the middle of one.
    if (this.#isGone) giveReader(reader)
    else if (isWhole) this.#answer(reader)
  }

  #answer(reader: AnswerReader): void {
    const user = this.#user!
    this.#isKept = true
    this.#user = undefined
    this.#reader = undefined
    // An answer before all of the request was taken: the rest would stand before the next one.
    const isSent = this.#socket.writableLength === 0
    const keepsOpen = reader.keepsOpen && isSent
    if (isSent && this.#unsent !== undefined) giveSendBuffer(this.#unsent)
    this.#unsent = undefined
    try {
      user.onWhole(reader)
    } finally {
      giveReader(reader)
    }
    if (this.#isGone) return
    if (!keepsOpen) return this.#leave(this.#lost())
    // As it waits for nothing, it keeps no process alive.
    this.#socket.unref()
    this.#owner.onIdle(this)
  }

  #onEnd(): void {
    const reader = this.#reader
    if (reader?.end() === true) this.#answer(reader)
    this.#leave(this.#lost())
  }

  #stopConnectTimer(): void {
    clearTimeout(this.#connectTimer)
    this.#connectTimer = undefined
  }

  #lost(): Error {
    return new EndedError(this.#hasAnswered ? 'unexpected EOF' : 'EOF')
  }

  #leave(error: Error): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#stopConnectTimer()
    this.#owner.onGone(this)
    this.#socket.destroy()
    const user = this.#user
    if (user === undefined) return
    this.#user = undefined
    if (!this.#isReading) giveReader(this.#reader!)
    this.#reader = undefined
    const isReset = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
    user.onLost(error, this.#isKept && !this.#hasAnswered && (isReset || error instanceof EndedError))
  }
}

function onConnectTimeout(connection: Connection): void {
  connection.expireConnect()
}

function giveReader(reader: AnswerReader): void {
  reader.release()
  if (idleReaders.length < readersKept) idleReaders.push(reader)
}
