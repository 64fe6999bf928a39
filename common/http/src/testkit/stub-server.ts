import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface StubRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface StubAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** A web service made up for a test: answers as a function says and remembers what it was asked. */
export interface StubServer {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  readonly requests: StubRequest[]
  close(): void
}

export async function startStub(answer: (request: StubRequest) => StubAnswer | undefined): Promise<StubServer> {
  const requests: StubRequest[] = []
  const server: Server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => void chunks.push(chunk))
    incoming.on('end', () => {
      const request = {
        method: incoming.method!,
        url: new URL(incoming.url!, `http://${incoming.headers.host}`),
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      }
      requests.push(request)
      const { status = 200, headers = {}, body = '' } = answer(request) ?? { status: 404, body: 'not here' }
      response.writeHead(status, headers).end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
