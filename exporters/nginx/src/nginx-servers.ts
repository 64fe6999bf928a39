import type { CollectContext } from '@narthex/exporter-kit/collector'
import { FailureMemory, reasonOf } from '@narthex/exporter-kit/failure-memory'
import type { Logger } from '@narthex/service/logger'
import { withLabel } from './constant-labels.ts'
import type { NginxClient, PageRequest } from './nginx-client.ts'
import type { ScrapeUri } from './scrape-uri.ts'

/** Taken off the time that is left, so that `nginx_up 0` is written before the scrape is answered. */
const reserveMs = 50

export interface NginxServersOptions<Status> {
  readonly uris: readonly ScrapeUri[]
  /** Longest time for a page. */
  readonly timeoutMs: number
  readonly pageBytesMax: number
  /** Asks one server for what is wanted of it; rejects rather than throws. */
  readonly read: (server: AskedServer) => Promise<Status>
  readonly constantLabels: readonly string[]
  readonly client: NginxClient
  readonly log: Logger
}

/** A server that is being asked, within the limits of one scrape. */
export class AskedServer {
  readonly #client: NginxClient
  readonly #uri: ScrapeUri
  readonly #bodyBytesMax: number
  readonly #endMs: number
  readonly #context: CollectContext

  constructor(client: NginxClient, uri: ScrapeUri, bodyBytesMax: number, endMs: number, context: CollectContext) {
    this.#client = client
    this.#uri = uri
    this.#bodyBytesMax = bodyBytesMax
    this.#endMs = endMs
    this.#context = context
  }

  /** The page at the URI, status 200: what `read` makes of its bytes, which are valid until it returns. */
  readBytes<T>(read: (body: Uint8Array) => T): Promise<T> {
    return this.#client.ask(this.#uri, this.#request(''), (status, body) => {
      expectOk(status)
      return read(body)
    })
  }

  /** The page at the URI with `path` behind it, status 200. */
  async readPage(path = ''): Promise<string> {
    const page = await this.readPageIfThere(path)
    if (page === undefined) throw new Error('expected 200 response, got 404')
    return page
  }

  /** As `readPage`, undefined for a page that does not exist (404). */
  readPageIfThere(path: string): Promise<string | undefined> {
    return this.#client.ask(this.#uri, this.#request(path), (status, body) => {
      if (status === 404 && path !== '') return undefined
      expectOk(status)
      return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
    })
  }

  #request(path: string): PageRequest {
    const timeoutMs = Math.max(1, this.#endMs - performance.now())
    return { path, timeoutMs, bodyBytesMax: this.#bodyBytesMax, context: this.#context }
  }
}

function expectOk(status: number): void {
  if (status !== 200) throw new Error(`expected 200 response, got ${status}`)
}

/** What one server answered; undefined if it did not. */
export interface ServerAnswer<Status> {
  readonly labels: readonly string[]
  readonly status: Status | undefined
}

interface Server {
  readonly uri: ScrapeUri
  readonly labels: readonly string[]
}

/** Servers whose page of one kind is read. If there are several, `addr` tells them apart. */
export class NginxServers<Status> {
  readonly #options: NginxServersOptions<Status>
  readonly #servers: readonly Server[]
  /** A server that is down is logged when it goes, when the reason changes and when it comes back. */
  readonly #failures = new FailureMemory()

  constructor(options: NginxServersOptions<Status>) {
    this.#options = options
    const { constantLabels, uris } = options
    this.#servers = uris.map((uri) => ({
      uri,
      labels: uris.length > 1 ? withLabel(constantLabels, 'addr', uri.text) : constantLabels,
    }))
  }

  /** Asks all at once, each within its own limit. */
  readAll(context: CollectContext): Promise<ServerAnswer<Status>[]> {
    const limitMs = Math.max(1, Math.min(this.#options.timeoutMs, context.remainingMs() - reserveMs))
    const endMs = performance.now() + limitMs
    return Promise.all(this.#servers.map((server) => this.#read(server, endMs, context)))
  }

  close(): Promise<void> {
    return this.#options.client.close()
  }

  #read({ uri, labels }: Server, endMs: number, context: CollectContext): Promise<ServerAnswer<Status>> {
    const { client, log, pageBytesMax, read } = this.#options
    return read(new AskedServer(client, uri, pageBytesMax, endMs, context)).then(
      (status) => {
        if (this.#failures.isOver(uri.text)) log.info('NGINX answers again', { uri: uri.text })
        return { labels, status }
      },
      (error: unknown) => {
        if (this.#failures.isNews(uri.text, reasonOf(error))) log.warn('error getting stats', { uri: uri.text, err: error })
        return { labels, status: undefined }
      },
    )
  }
}
