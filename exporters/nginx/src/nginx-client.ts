import type { HttpClientConfig } from '@narthex/config/http-client-config'
import { createHttpClient, type HttpClient } from '@narthex/http/client'
import { DirectClient, prepareRequest, type DirectRequest } from '@narthex/http/direct-client/direct-client'
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
  /** Asked for when the request is one that may be given up: a signal takes as long to make as a small page to read. */
  readonly signal: () => AbortSignal
}

export interface PageAnswer {
  readonly status: number
  readonly text: string
}

/**
 * Asks servers for their pages. What a URI names is asked for directly when it is plain HTTP; TLS, further pages of an API, redirects and the PROXY
 * protocol are for the general client, which loads its library then.
 */
export class NginxClient {
  readonly #general: HttpClient
  readonly #direct = new DirectClient()
  readonly #isDirect: boolean
  readonly #headers: Readonly<Record<string, string>>
  /** Made ready, by where they go to. */
  readonly #requests = new WeakMap<ScrapeUri, DirectRequest>()

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
  async ask(uri: ScrapeUri, request: PageRequest): Promise<PageAnswer> {
    if (!this.#isDirect || request.path !== '' || !uri.url.startsWith('http:')) return this.#askInGeneral(uri, request)
    const answer = await this.#direct.exchange(this.#prepare(uri), {
      timeoutMs: request.timeoutMs,
      bodyBytesMax: request.bodyBytesMax,
      signal: undefined,
      take: ({ headers, status }, body) => (isRedirect(status, headers) ? undefined : { status, text: textOf(body) }),
    })
    return answer ?? this.#askInGeneral(uri, request)
  }

  close(): Promise<void> {
    this.#direct.close()
    return this.#general.close()
  }

  async #askInGeneral(uri: ScrapeUri, { bodyBytesMax, path, signal, timeoutMs }: PageRequest): Promise<PageAnswer> {
    const { status, body } = await this.#general.request({
      url: path === '' ? uri.url : uri.url.replace(/\/*$/, `/${path}`),
      headers: this.#headersFor(uri),
      timeoutMs,
      bodyBytesMax,
      signal: signal(),
      ...(uri.socketPath === undefined ? {} : { socketPath: uri.socketPath }),
    })
    return { status, text: textOf(body) }
  }

  #prepare(uri: ScrapeUri): DirectRequest {
    let request = this.#requests.get(uri)
    if (request === undefined) {
      request = prepareRequest('GET', new URL(uri.url), this.#headersFor(uri), uri.socketPath)
      this.#requests.set(uri, request)
    }
    return request
  }

  #headersFor({ authorization }: ScrapeUri): Readonly<Record<string, string>> {
    return authorization === undefined ? this.#headers : { ...this.#headers, authorization }
  }
}

function isRedirect(status: number, headers: Readonly<Record<string, string>>): boolean {
  return status >= 301 && status <= 308 && headers['location'] !== undefined
}

function textOf({ buffer, byteLength, byteOffset }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('utf8')
}
