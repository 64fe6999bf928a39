import type { ServerResponse } from 'node:http'
import { answerJson, startStubServer, type StubRequest, type StubServer } from './stub-server.ts'

interface Waiting {
  readonly path: string
  readonly response: ServerResponse
}

/** A Consul server of a test: content by path, one index for all, questions with that index wait. */
export class StubConsul {
  index = 1
  /** What `/v1/agent/self` says. */
  contents: Record<string, unknown> = { '/v1/agent/self': { Config: { Datacenter: 'dc1', NodeName: 'n1' } } }
  /** Answers every question with 500 while it is set. */
  failure: string | undefined
  /** Whether answers have X-Consul-Index. */
  hasIndex = true
  readonly #waiting = new Set<Waiting>()
  #server: StubServer | undefined

  get requests(): readonly StubRequest[] {
    return this.#server!.requests
  }

  get address(): string {
    return this.#server!.address
  }

  /** Questions that wait for news, by path. */
  get waiting(): string[] {
    return [...this.#waiting].map(({ path }) => path).sort()
  }

  async listen(where: number | string = 0): Promise<void> {
    this.#server = await startStubServer((request, response) => this.#take(request, response), where)
  }

  async close(): Promise<void> {
    await this.#server?.close()
  }

  /** Sets content, moves the index on and answers everything that waits. */
  change(contents: Record<string, unknown>, index = this.index + 1): void {
    Object.assign(this.contents, contents)
    this.index = index
    this.release()
  }

  /** Answers everything that waits, as the server does when the time of the wait is over. */
  release(): void {
    for (const waiting of this.#waiting) this.#answer(waiting.path, waiting.response)
    this.#waiting.clear()
  }

  /** Cuts the connections of everything that waits. */
  cut(): void {
    for (const { response } of this.#waiting) response.socket?.destroy()
    this.#waiting.clear()
  }

  #take({ path, query }: StubRequest, response: ServerResponse): void {
    const asked = Number(query.get('index') ?? 0)
    if (this.failure !== undefined) response.writeHead(500).end(this.failure)
    else if (asked > 0 && asked >= this.index) {
      const waiting = { path, response }
      this.#waiting.add(waiting)
      response.on('close', () => this.#waiting.delete(waiting))
    } else this.#answer(path, response)
  }

  #answer(path: string, response: ServerResponse): void {
    answerJson(response, this.contents[path] ?? [], this.hasIndex ? { 'x-consul-index': String(this.index) } : {})
  }
}

/** One instance as `health/service/NAME` lists it. */
export function instance(id: string, address: string, port: number, more: Readonly<Record<string, unknown>> = {}): unknown {
  return {
    Node: { Node: 'n1', Address: '10.0.0.1', Datacenter: 'dc1', Meta: {}, TaggedAddresses: {} },
    Service: { ID: id, Service: 'web', Tags: [], Address: address, Port: port, Meta: {} },
    Checks: [],
    ...more,
  }
}
