import type { IncomingMessage, ServerResponse } from 'node:http'
import { startStubServer, type StubRequest, type StubServer } from './stub-server.ts'

/** A watch that a client holds open. */
export interface StubWatch {
  readonly startRevision: string
  readonly headers: IncomingMessage['headers']
  /** Sends `{"result": …}` as one line. */
  send(result: unknown): void
  end(): void
  readonly response: ServerResponse
}

type Answer = { readonly status?: number; readonly body: unknown }

/** An etcd gateway of a test: ranges are answered by a function, watches are held and noted. */
export class StubEtcd {
  range: (request: Record<string, unknown>, headers: IncomingMessage['headers']) => Answer = () => ({ body: { header: { revision: '1' } } })
  authenticate: () => Answer = () => ({ body: { token: 'tok' } })
  /** What is done with a watch; confirms it unless a test wants otherwise. */
  onWatch: (watch: StubWatch) => void = (watch) => watch.send({ created: true })
  readonly ranges: Record<string, unknown>[] = []
  readonly watches: StubWatch[] = []
  #server: StubServer | undefined

  get url(): string {
    return this.#server!.url
  }

  async listen(): Promise<void> {
    this.#server = await startStubServer((request, response, message) => void this.#take(request, response, message))
  }

  async close(): Promise<void> {
    await this.#server?.close()
  }

  async #take({ path, headers }: StubRequest, response: ServerResponse, message: IncomingMessage): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of message) chunks.push(chunk as Buffer)
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>
    if (path === '/v3/watch') return this.#watch(body['create_request'] as Record<string, unknown>, headers, response)
    if (path === '/v3/kv/range') this.ranges.push(body)
    const answer = path === '/v3/kv/range' ? this.range(body, headers) : this.authenticate()
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
  }

  #watch(request: Record<string, unknown>, headers: IncomingMessage['headers'], response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' })
    const watch: StubWatch = {
      startRevision: String(request['start_revision']),
      headers,
      send: (result) => void response.write(`${JSON.stringify({ result })}\n`),
      end: () => void response.end(),
      response,
    }
    this.watches.push(watch)
    this.onWatch(watch)
  }
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64')

/** A key with its value as the gateway prints it. */
export function keyValue(key: string, value: string, modRevision: number): unknown {
  return { key: base64(key), value: base64(value), mod_revision: String(modRevision), create_revision: '1', version: '1' }
}

export function deletion(key: string, modRevision: number): unknown {
  return { type: 'DELETE', kv: { key: base64(key), mod_revision: String(modRevision) } }
}
