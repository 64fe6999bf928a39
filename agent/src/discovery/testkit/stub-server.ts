import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface StubRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
}

/** An HTTP server of a test: notes every request, answers by a function. */
export interface StubServer {
  readonly url: string
  /** `host:port`. */
  readonly address: string
  readonly requests: StubRequest[]
  close(): Promise<void>
}

/** Listens on a free loopback port, on that port, or on a unix socket. */
export async function startStubServer(
  answer: (request: StubRequest, response: ServerResponse, message: IncomingMessage) => void,
  where: number | string = 0,
): Promise<StubServer> {
  const requests: StubRequest[] = []
  const server: Server = createServer((message, response) => {
    const url = new URL(message.url ?? '/', 'http://stub')
    const request = { method: message.method ?? '', path: url.pathname, query: url.searchParams, headers: message.headers }
    requests.push(request)
    answer(request, response, message)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    if (typeof where === 'string') server.listen(where, resolve)
    else server.listen(where, '127.0.0.1', resolve)
  })
  const address = typeof where === 'string' ? where : `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `http://${address}`,
    address,
    requests,
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      return closed
    },
  }
}

/** Waits in real time for something that real sockets bring; fails after ten seconds unless others are given. */
export async function until(condition: () => boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`cannot wait longer for ${condition.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export function answerJson(response: ServerResponse, content: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(content))
}
