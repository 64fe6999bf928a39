import type { CollectContext } from '@narthex/exporter-kit/collector'
import { FailureMemory, reasonOf } from '@narthex/exporter-kit/failure-memory'
import type { Logger } from '@narthex/service/logger'
import { withLabel } from './constant-labels.ts'
import type { NginxClient } from './nginx-client.ts'
import type { ScrapeUri } from './scrape-uri.ts'

/** Taken off the time that is left, so that `nginx_up 0` is written before the scrape is answered. */
const reserveMs = 50

export interface NginxServersOptions<Status> {
  readonly uris: readonly ScrapeUri[]
  /** Longest time for a page. */
  readonly timeoutMs: number
  readonly pageBytesMax: number
  /** Asks one server for what is wanted of it. */
  readonly read: (server: AskedServer) => Promise<Status>
  readonly constantLabels: readonly string[]
  readonly client: NginxClient
  readonly log: Logger
}

/** A server that is being asked, within the limits of one scrape. */
export interface AskedServer {
  /** The page at the URI with `path` behind it, status 200. */
  readPage(path?: string): Promise<string>
  /** As `readPage`, undefined for a page that does not exist (404). */
  readPageIfThere(path: string): Promise<string | undefined>
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
  async readAll(context: CollectContext): Promise<ServerAnswer<Status>[]> {
    const limitMs = Math.max(1, Math.min(this.#options.timeoutMs, context.remainingMs() - reserveMs))
    const signal = (): AbortSignal => context.signal
    return Promise.all(this.#servers.map(async (server) => ({ labels: server.labels, status: await this.#read(server, limitMs, signal) })))
  }

  close(): Promise<void> {
    return this.#options.client.close()
  }

  async #read(server: Server, limitMs: number, signal: () => AbortSignal): Promise<Status | undefined> {
    const { log, read } = this.#options
    const { text } = server.uri
    try {
      const status = await read(this.#createAsked(server.uri, limitMs, signal))
      if (this.#failures.isOver(text)) log.info('NGINX answers again', { uri: text })
      return status
    } catch (error) {
      if (this.#failures.isNews(text, reasonOf(error))) log.warn('error getting stats', { uri: text, err: error })
      return undefined
    }
  }

  #createAsked(uri: ScrapeUri, limitMs: number, signal: () => AbortSignal): AskedServer {
    const { client, pageBytesMax: bodyBytesMax } = this.#options
    const endMs = performance.now() + limitMs
    const readPageIfThere = async (path: string): Promise<string | undefined> => {
      const timeoutMs = Math.max(1, endMs - performance.now())
      const { status, text } = await client.ask(uri, { path, timeoutMs, bodyBytesMax, signal })
      if (status === 404 && path !== '') return undefined
      if (status !== 200) throw new Error(`expected 200 response, got ${status}`)
      return text
    }
    return {
      readPageIfThere,
      async readPage(path = '') {
        const page = await readPageIfThere(path)
        if (page === undefined) throw new Error('expected 200 response, got 404')
        return page
      },
    }
  }
}
