import type { HttpClientConfig } from '@narthex/config/http-client-config'
import { createHttpClient } from '@narthex/http/client'
import type { HttpClient, HttpClientDefaults } from '@narthex/http/client'
import { findProxy } from '@narthex/http/proxy-choice'
import { DirectClient, isDirect } from '@narthex/http/direct-client/direct-client'

/** The clients of one `http_config`: what the direct one cannot do is for the general one. */
export interface Clients {
  readonly general: HttpClient
  /** The direct client if it can ask this URL. */
  direct(url: URL): DirectClient | undefined
  /** Whether requests for this URL go to a proxy. */
  isProxied(url: URL): boolean
  /** Ends running requests and closes all connections. */
  close(): Promise<void>
}

export function createClients(config: HttpClientConfig | undefined, defaults: HttpClientDefaults = {}): Clients {
  const general = createHttpClient(config, defaults)
  const direct = new DirectClient(defaults.lookup)
  return {
    general,
    direct: (url) => (isDirect(config, url) ? direct : undefined),
    isProxied: (url) => config !== undefined && findProxy(config, url) !== undefined,
    close() {
      direct.close()
      return general.close()
    },
  }
}

/** True for an answer that sends us elsewhere: the general client asks again and follows, if the configuration wants that. */
export function isRedirect(status: number, location: string | undefined): boolean {
  return location !== undefined && [301, 302, 303, 307, 308].includes(status)
}
