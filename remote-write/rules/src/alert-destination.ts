import type { AlertDestination } from './notifier.ts'
import type { AlertPayload } from './interfaces.ts'
import type { RelabelRule } from '@narthex/relabel/relabel'

/** The part of `@narthex/http/client` that is used here. */
export interface AlertHttpClient {
  request(options: {
    readonly url: string
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
    readonly timeoutMs: number
    readonly bodyBytesMax: number
    readonly signal: AbortSignal
  }): Promise<{ readonly status: number; readonly body: Uint8Array }>
}

/** The part of `@narthex/http/cloud-authorizer` that is used here. */
export interface AlertAuthorizer {
  /** The headers to add. */
  authorize(request: {
    readonly method: string
    readonly url: URL
    readonly headers: Readonly<Record<string, string>>
    readonly body: Uint8Array
  }): Promise<Record<string, string>>
  /** The credentials were refused. */
  forget(): void
}

export interface HttpDestinationOptions {
  /** Whole URL, for example `http://am:9093/api/v2/alerts`. */
  readonly url: string
  readonly client: AlertHttpClient
  readonly timeoutMs: number
  readonly relabelRules: readonly RelabelRule[]
  readonly userAgent: string
  /** Makes each request one of a cloud account. */
  readonly authorizer?: AlertAuthorizer
}

/** The URL alerts are posted to: scheme and address of a target, and the `path_prefix` of the configuration. */
export function alertsUrl(scheme: string, address: string, pathPrefix: string): string {
  const path = `/${pathPrefix}/api/v2/alerts`.replaceAll(/\/+/g, '/')
  return `${scheme}://${address}${path}`
}

/** An alertmanager over HTTP. */
export function createHttpDestination(options: HttpDestinationOptions): AlertDestination {
  const { url, client, timeoutMs, relabelRules, userAgent, authorizer } = options
  return {
    url,
    relabelRules,
    async send(alerts, signal) {
      const method = 'POST'
      const headers = { 'content-type': 'application/json', 'user-agent': userAgent }
      const body = JSON.stringify(alerts)
      const added = (await authorizer?.authorize({ method, url: new URL(url), headers, body: Buffer.from(body) })) ?? {}
      signal.throwIfAborted()
      // What an alertmanager answers is of no use; 64 KiB hold any error text.
      const answer = await client.request({
        url,
        method,
        headers: { ...headers, ...added },
        body,
        timeoutMs,
        bodyBytesMax: 65_536,
        signal,
      })
      if (answer.status === 401 || answer.status === 403) authorizer?.forget()
      if (answer.status < 200 || answer.status > 299) throw new Error(`bad response status ${answer.status}`)
    },
  }
}

/** The alertmanager of the same process. `take` gives undefined if it took all alerts, else the reason. */
export function createDirectDestination(url: string, take: (alerts: readonly AlertPayload[]) => string | undefined): AlertDestination {
  return {
    url,
    relabelRules: [],
    send(alerts) {
      const refusal = take(alerts)
      return refusal === undefined ? Promise.resolve() : Promise.reject(new Error(refusal))
    },
  }
}
