import { createServer, type Server, type Socket } from 'node:net'
import { RespReader, type RespValue } from './resp-reader.ts'
import { itemsOf, textOf } from './resp-value.ts'

/** What a fake server answers to one command: RESP bytes as text, or nothing at all. */
export type FakeAnswer = (command: readonly string[], socket: Socket) => string | undefined

/** A server for tests that speaks RESP on a free loopback port and keeps what it was sent. */
export interface FakeRedis {
  readonly url: string
  readonly port: number
  /** Every command so far, words joined by blanks. */
  readonly commands: string[]
  /** Connections open now. */
  connections(): number
  close(): Promise<void>
}

export async function startFakeRedis(answer: FakeAnswer): Promise<FakeRedis> {
  const commands: string[] = []
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    const reader = new RespReader((value: RespValue) => {
      const command = itemsOf(value).map((part) => textOf(part) ?? '')
      commands.push(command.join(' '))
      const reply = answer(command, socket)
      if (reply !== undefined) socket.write(reply)
    })
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch {
        socket.destroy()
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('cannot start a fake server: want a port, got none')
  return {
    url: `redis://127.0.0.1:${address.port}`,
    port: address.port,
    commands,
    connections: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export const unknownCommand = "-ERR unknown command 'x', with args beginning with: \r\n"

export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`
}

export function array(...items: readonly string[]): string {
  return `*${items.length}\r\n${items.join('')}`
}

/** Answers INFO with this text and refuses everything else, as a server with very little on offer does. */
export function answerInfo(text: string, more: FakeAnswer = () => undefined): FakeAnswer {
  const reply = bulk(text.replaceAll('\n', '\r\n'))
  return (command, socket) => more(command, socket) ?? (command[0] === 'INFO' && command[1] !== 'MODULES' ? reply : unknownCommand)
}
