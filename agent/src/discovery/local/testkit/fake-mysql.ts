import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

export interface FakeMysqlOptions {
  readonly plugin?: string
  /** Packets in answer to each of the client's, in turn; after them the connection is left open. */
  readonly answers: readonly Buffer[]
  /** Sent instead of the greeting. */
  readonly refusal?: Buffer
}

export const salt = Buffer.from('abcdefghijklmnopqrst')
export const ok = Buffer.from([0, 0, 0, 2, 0, 0, 0])
export const error = (code: number, text: string): Buffer =>
  Buffer.concat([Buffer.from([0xff, code & 255, code >> 8]), Buffer.from(`#28000${text}`)])
export const switchTo = (plugin: string): Buffer => Buffer.concat([Buffer.from([0xfe]), Buffer.from(`${plugin}\0`), salt, Buffer.from([0])])

/** A server that greets as MySQL 8 does and keeps every packet that it gets. */
export class FakeMysql {
  readonly packets: { readonly sequence: number; readonly payload: Buffer }[] = []
  /** How the clients left: after COM_QUIT, after an error of ours, or in the middle of a handshake. */
  readonly ends: ('quit' | 'refused' | 'aborted')[] = []
  connections = 0
  readonly #server: Server
  readonly #options: FakeMysqlOptions

  constructor(options: FakeMysqlOptions) {
    this.#options = options
    this.#server = createServer((socket) => this.#serve(socket))
  }

  async listen(path?: string): Promise<number> {
    await new Promise<void>((resolve) => {
      if (path === undefined) this.#server.listen(0, '127.0.0.1', resolve)
      else this.#server.listen(path, resolve)
    })
    return path === undefined ? (this.#server.address() as AddressInfo).port : 0
  }

  close(): void {
    this.#server.close()
  }

  #serve(socket: Socket): void {
    this.connections++
    let received = Buffer.alloc(0)
    let turn = 0
    let end: 'quit' | 'refused' | 'aborted' = 'aborted'
    socket.on('error', () => {})
    socket.on('close', () => this.ends.push(end))
    const send = (sequence: number, payload: Buffer): void => {
      const head = Buffer.alloc(4)
      head.writeUIntLE(payload.length, 0, 3)
      head[3] = sequence
      socket.write(Buffer.concat([head, payload]))
      if (payload[0] === 0xff) {
        end = 'refused'
        socket.end()
      }
    }
    send(0, this.#options.refusal ?? greet(this.#options.plugin ?? 'mysql_native_password'))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      while (received.length >= 4 && received.length >= 4 + received.readUIntLE(0, 3)) {
        const length = received.readUIntLE(0, 3)
        const sequence = received[3]!
        const payload = Buffer.from(received.subarray(4, 4 + length))
        received = received.subarray(4 + length)
        this.packets.push({ sequence, payload })
        if (sequence === 0 && payload[0] === 1) end = 'quit'
        const answer = this.#options.answers[turn++]
        if (answer !== undefined) send(sequence + 1, answer)
      }
    })
  }
}

function greet(plugin: string): Buffer {
  const capabilities = 0xffff_f7ff
  const fixed = Buffer.alloc(32)
  fixed.writeUInt32LE(17, 0)
  salt.copy(fixed, 4, 0, 8)
  fixed.writeUInt16LE(capabilities & 0xffff, 13)
  fixed[15] = 255
  fixed.writeUInt16LE((capabilities >>> 16) & 0xffff, 18)
  fixed[20] = 21
  const body = fixed.subarray(0, 31)
  return Buffer.concat([Buffer.from([10]), Buffer.from('8.4.0\0'), body, salt.subarray(8), Buffer.from([0]), Buffer.from(`${plugin}\0`)])
}
