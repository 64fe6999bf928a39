import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mkdtempSync, rmSync } from 'node:fs'
import { errorReply, fixedHeaderBytes, methodReturn, MessageReader, readMessageLength } from './message.ts'

// A D-Bus peer for tests: answers calls as a function says, with values that it encodes on its own (the code under test only reads them).

export interface FakeCall {
  readonly path: string
  readonly interface: string
  readonly member: string
  readonly destination: string
  readonly args: readonly string[]
}

/** `signature` with the body's values in order, nested arrays for arrays and structs, a `[type, value]` pair for a variant. */
export interface FakeReply {
  readonly signature: string
  readonly values: readonly unknown[]
}

export interface FakeError {
  readonly errorName: string
  readonly text: string
}

/** Undefined: no answer ever. */
export type Answer = (call: FakeCall) => FakeReply | FakeError | undefined

export interface FakePeer {
  readonly socketPath: string
  /** Calls so far, Hello included. */
  readonly calls: FakeCall[]
  connections: number
  /** Ends all connections, and goes on listening. */
  dropConnections(): void
  close(): Promise<void>
}

export interface FakePeerOptions {
  readonly answer: Answer
  /** What is said to AUTH; default: OK. */
  readonly authLine?: string
  /** Sends replies in pieces of so many bytes. */
  readonly pieceBytes?: number
}

export async function startFakePeer({ answer, authLine = 'OK 1234deadbeef', pieceBytes }: FakePeerOptions): Promise<FakePeer> {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-dbus-'))
  const socketPath = join(directory, 'bus')
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    peer.connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    serve(socket)
  })
  const peer: FakePeer = {
    socketPath,
    calls: [],
    connections: 0,
    dropConnections: () => sockets.forEach((socket) => socket.destroy()),
    close: async () => {
      sockets.forEach((socket) => socket.destroy())
      await new Promise((resolve) => server.close(resolve))
      rmSync(directory, { recursive: true, force: true })
    },
  }

  function serve(socket: Socket): void {
    let input = Buffer.alloc(0)
    let isAuthenticated = false
    socket.on('data', (chunk: Buffer) => {
      input = Buffer.concat([input, chunk])
      if (!isAuthenticated) {
        if (input.includes('AUTH EXTERNAL') && !input.includes('BEGIN')) socket.write(`${authLine}\r\n`)
        const begin = input.indexOf('BEGIN\r\n')
        if (begin < 0) return
        input = input.subarray(begin + 7)
        isAuthenticated = true
      }
      while (input.length >= fixedHeaderBytes && input.length >= readMessageLength(input, 0)) {
        const length = readMessageLength(input, 0)
        reply(socket, input.subarray(0, length))
        input = input.subarray(length)
      }
    })
  }

  function reply(socket: Socket, message: Buffer): void {
    const call = readCall(message)
    peer.calls.push(call)
    const given = call.member === 'Hello' ? { signature: 's', values: [':1.7'] } : answer(call)
    if (given === undefined) return
    const bytes = encodeReply(message.readUInt32LE(8), given)
    if (pieceBytes === undefined) socket.write(bytes)
    else for (let at = 0; at < bytes.length; at += pieceBytes) socket.write(bytes.subarray(at, at + pieceBytes))
  }

  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  return peer
}

function readCall(message: Buffer): FakeCall {
  const fieldsEnd = fixedHeaderBytes + message.readUInt32LE(12)
  const fields = new Map<number, string>()
  const reader = new MessageReader(message, fixedHeaderBytes)
  while (reader.offset < fieldsEnd) {
    reader.align(8)
    fields.set(reader.byte(), String(reader.variant()))
  }
  reader.align(8)
  const args = Array.from(fields.get(8) ?? '', () => reader.string())
  const get = (code: number): string => fields.get(code) ?? ''
  return { path: get(1), interface: get(2), member: get(3), destination: get(6), args }
}

function encodeReply(serial: number, given: FakeReply | FakeError): Buffer {
  const isError = 'errorName' in given
  const body = new Encoder()
  const signature = isError ? 's' : given.signature
  body.values(signature, isError ? [given.text] : given.values)
  const head = new Encoder()
  const fields: unknown[] = [[5, ['u', serial]]]
  if (isError) fields.push([4, ['s', given.errorName]])
  fields.push([8, ['g', signature]])
  head.values('yyyyuua(yv)', [0x6c, isError ? errorReply : methodReturn, 1, 1, body.bytes.length, 99, fields])
  head.align(8)
  return Buffer.from([...head.bytes, ...body.bytes])
}

class Encoder {
  readonly bytes: number[] = []

  align(size: number): void {
    while (this.bytes.length % size !== 0) this.bytes.push(0)
  }

  /** Values of several complete types. */
  values(signature: string, values: readonly unknown[]): void {
    let at = 0
    for (const value of values) {
      const end = endOfType(signature, at)
      this.#value(signature.slice(at, end), value)
      at = end
    }
  }

  #value(type: string, value: unknown): void {
    switch (type[0]) {
      case 'y':
        return void this.bytes.push(Number(value))
      case 'b':
      case 'u':
      case 'i':
        return this.#integer(4, BigInt(value as number))
      case 't':
      case 'x':
        return this.#integer(8, BigInt(value as number))
      case 's':
      case 'o':
        this.#integer(4, BigInt(Buffer.byteLength(String(value))))
        return void this.bytes.push(...Buffer.from(String(value)), 0)
      case 'g':
        return void this.bytes.push(String(value).length, ...Buffer.from(String(value)), 0)
      case 'v': {
        const [inner, content] = value as [string, unknown]
        this.#value('g', inner)
        return this.#value(inner, content)
      }
      case '(':
        this.align(8)
        return this.values(type.slice(1, -1), value as unknown[])
      case 'a':
        return this.#array(type.slice(1), value as unknown[])
      default:
        throw new Error(`cannot encode D-Bus type ${type}`)
    }
  }

  #array(type: string, items: readonly unknown[]): void {
    this.#integer(4, 0n)
    const lengthAt = this.bytes.length - 4
    if (type.startsWith('(')) this.align(8)
    const start = this.bytes.length
    for (const item of items) this.#value(type, item)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(this.bytes.length - start)
    this.bytes.splice(lengthAt, 4, ...length)
  }

  #integer(size: number, value: bigint): void {
    this.align(size)
    for (let byte = 0; byte < size; byte++) this.bytes.push(Number(BigInt.asUintN(8, value >> BigInt(8 * byte))))
  }
}

function endOfType(signature: string, at: number): number {
  if (signature[at] === 'a') return endOfType(signature, at + 1)
  if (signature[at] !== '(') return at + 1
  let depth = 0
  for (let end = at; ; end++) {
    if (signature[end] === '(') depth++
    else if (signature[end] === ')' && --depth === 0) return end + 1
  }
}
