import type { HttpClientConfig } from '@narthex/config/http-client-config'
import { createHttpClient, type HttpClient } from './client.ts'
import type { Environment } from './sigv4-profiles.ts'
import { requestToken } from './token-request.ts'

/** What is asked of every cloud's access tokens. */
export interface TokenOptions {
  /** What the token is good for, such as `https://monitor.azure.com//.default`. */
  readonly scope: string
  /** Transport settings of requests to the cloud; the machine's own endpoint is asked directly. */
  readonly http?: HttpClientConfig
  readonly userAgent?: string
  readonly env?: Environment
  readonly now?: () => number
}

/** How a cloud's tokens are asked for: by the configured way, and directly from the machine. */
export class TokenSource {
  readonly env: Environment
  readonly now: () => number
  /** To the machine's own endpoint. */
  readonly direct: HttpClient
  readonly #client: HttpClient

  constructor({ http, userAgent, env, now }: TokenOptions) {
    this.env = env ?? process.env
    this.now = now ?? Date.now
    const defaults = userAgent === undefined ? {} : { userAgent }
    this.#client = createHttpClient(http, defaults)
    this.direct = createHttpClient(undefined, defaults)
  }

  /** The body of the answer to an OAuth 2 token request; rejects as `requestToken` does. */
  postForm(url: string, form: URLSearchParams, what: string): Promise<Uint8Array> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    return requestToken(this.#client, { url, method: 'POST', headers, body: form.toString() }, what)
  }

  async close(): Promise<void> {
    await Promise.all([this.#client.close(), this.direct.close()])
  }
}
