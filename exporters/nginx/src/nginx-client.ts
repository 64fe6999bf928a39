import type { HttpClientConfig } from '@narthex/config/http-client-config'
import { createHttpClient, type HttpClient } from '@narthex/http/client'
import { DirectClient, prepareRequest } from '@narthex/http/direct-client/direct-client'
import { DirectPage, isElsewhere } from './direct-page.ts'
import { makeProxyHeader } from './proxy-protocol.ts'
import type { ScrapeUri } from './scrape-uri.ts'

export interface NginxClientOptions {
  readonly config: HttpClientConfig
  readonly userAgent: string
  /** Connections begin with a header of the PROXY protocol. */
  readonly hasProxyHeader: boolean
}

export interface PageRequest {
  /** Behind the URI's own; '' for the page that it names. */
  readonly path: string
  readonly timeoutMs: number
  readonly bodyBytesMax: number
  /** Its signal is asked for when the request is one that needs it: a signal takes as long to make as a small page to read. */
  readonly context: { readonly signal: AbortSignal }
}

/** Takes an answer, whose bytes are valid until it returns. What it throws fails the request. */
export type TakeAnswer<T> = (status: number, body: Uint8Array) => T

/**
 * Asks servers for their pages. What a URI names is asked for directly when it is plain HTTP; TLS, further pages of an API, redirects and the PROXY
 * protocol are for the general client, which loads its library then.
 */
export class NginxClient {
  readonly #general: HttpClient
  readonly #direct = new DirectClient()
  readonly #isDirect: boolean
  readonly #headers: Readonly<Record<string, string>>
  readonly #pages = new WeakMap<ScrapeUri, DirectPage>()

  constructor({ config, hasProxyHeader, userAgent }: NginxClientOptions) {
    this.#general = createHttpClient(config, {
      // The API of NGINX Plus is many pages.
      connectionsMax: 4,
      ...(hasProxyHeader ? { preamble: makeProxyHeader } : {}),
    })
    this.#isDirect = !hasProxyHeader
    this.#headers = { 'user-agent': userAgent }
  }

  /** Rejects with one line if there is no answer. */
  async ask<T>(uri: ScrapeUri, request: PageRequest, take: TakeAnswer<T>): Promise<T> {
    if (this.#isDirect && request.path === '' && uri.url.startsWith('http:')) {
      const answer = await this.#pageOf(uri).ask(request, take)
      if (answer !== isElsewhere) return answer
    }
    return this.#askInGeneral(uri, request, take)
  }

  close(): Promise<void> {
    this.#direct.close()
    return this.#general.close()
  }

  async #askInGeneral<T>(uri: ScrapeUri, { bodyBytesMax, path, context, timeoutMs }: PageRequest, take: TakeAnswer<T>): Promise<T> {
    const { status, body } = await this.#general.request({
      url: path === '' ? uri.url : uri.url.replace(/\/*$/, `/${path}`),
      headers: this.#headersFor(uri),
      timeoutMs,
      bodyBytesMax,
      signal: context.signal,
      ...(uri.socketPath === undefined ? {} : { socketPath: uri.socketPath }),
    })
    return take(status, body)
  }

  #pageOf(uri: ScrapeUri): DirectPage {
    let page = this.#pages.get(uri)
    if (page === undefined) {
      page = new DirectPage(this.#direct, prepareRequest('GET', new URL(uri.url), this.#headersFor(uri), uri.socketPath))
      this.#pages.set(uri, page)
    }
    return page
  }

  #headersFor({ authorization }: ScrapeUri): Readonly<Record<string, string>> {
    return authorization === undefined ? this.#headers : { ...this.#headers, authorization }
  }
}
