import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttp2Server, type Http2Server, type Http2Session, type ServerHttp2Stream } from 'node:http2'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A recorded answer of testdata. */
export function readAnswer(name: string): string {
  return readFileSync(new URL(`../testdata/${name}`, import.meta.url), 'utf8')
}

/** Answers by path without the query; a function decides itself, a missing one is 404. */
export type Routes = Record<string, string | ((request: IncomingMessage, response: ServerResponse) => void)>

/** An engine on a Unix socket that gives recorded answers. */
export interface FakeEngine {
  readonly endpoint: string
  readonly socketPath: string
  /** Paths with their queries, in the order in which they were asked for. */
  readonly asked: string[]
  readonly routes: Routes
  close(): Promise<void>
}

export async function startFakeEngine(routes: Routes): Promise<FakeEngine> {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-engine-'))
  const socketPath = join(directory, 'engine.sock')
  const asked: string[] = []
  const server: Server = createServer((request, response) => {
    const url = request.url ?? ''
    asked.push(url)
    const route = routes[url.split('?')[0]!]
    if (typeof route === 'function') route(request, response)
    else if (route === undefined) response.writeHead(404).end('{"message":"No such container"}')
    else response.setHeader('content-type', 'application/json').end(route)
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  return {
    endpoint: `unix://${socketPath}`,
    socketPath,
    asked,
    routes,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** What a gRPC server answers to a message: bytes, a status, or nothing at all. */
export type GrpcAnswer = Uint8Array | { readonly status: number; readonly message: string } | 'silence'

export interface FakeGrpc {
  readonly socketPath: string
  readonly asked: { readonly method: string; readonly namespace: string; readonly text: string }[]
  answer: (method: string, id: string) => GrpcAnswer
  close(): Promise<void>
}

/** A gRPC server on a Unix socket, for requests with a text in field 1. */
export async function startFakeGrpc(answer: FakeGrpc['answer']): Promise<FakeGrpc> {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-grpc-'))
  const socketPath = join(directory, 'grpc.sock')
  const sessions = new Set<Http2Session>()
  const server: Http2Server = createHttp2Server()
  const fake: FakeGrpc = {
    socketPath,
    asked: [],
    answer,
    close: async () => {
      for (const session of sessions) session.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(directory, { recursive: true, force: true })
    },
  }
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', () => undefined)
    stream.on('end', () => {
      const message = Buffer.concat(chunks).subarray(5)
      const text = message.subarray(2).toString()
      const method = String(headers[':path'])
      fake.asked.push({ method, namespace: String(headers['containerd-namespace']), text })
      respond(stream, fake.answer(method, text))
    })
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  return fake
}

function respond(stream: ServerHttp2Stream, answer: GrpcAnswer): void {
  if (answer === 'silence') return
  const head = { ':status': 200, 'content-type': 'application/grpc' }
  if ('status' in answer) {
    // An error without a message is sent as the only headers.
    stream.respond(
      { ...head, 'grpc-status': String(answer.status), 'grpc-message': encodeURIComponent(answer.message) },
      { endStream: true },
    )
    return
  }
  stream.respond(head, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(answer.length, 1)
  // In two pieces, as a large message comes.
  stream.write(prefix)
  stream.end(answer)
}

/** A protobuf field with a length. */
export function field(number: number, value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes])
}

/** A protobuf field with a number. */
export function numberField(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8), varint(value)])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128)
  return Buffer.from([...bytes, value])
}
