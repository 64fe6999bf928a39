import type { HttpClientConfig } from '@narthex/config/http-client-config'
import type { AlertingConfig } from '@narthex/config/prometheus-config'
import { createHttpClient, type HttpClient } from '@narthex/http/client'
import { createCloudAuthorizer, type CloudAuthorizer } from '@narthex/http/cloud-authorizer'
import { alertsUrl, createHttpDestination } from '@narthex/rules/alert-destination'
import type { AlertDestination } from '@narthex/rules/notifier'
import type { Logger } from '@narthex/service/logger'

/** The alertmanagers that a configuration names, with what their connections and credentials need. */
export interface AlertDestinations {
  readonly destinations: readonly AlertDestination[]
  close(): Promise<void>
}

export const noDestinations: AlertDestinations = { destinations: [], close: () => Promise.resolve() }

/** Nothing is asked before alerts are sent. Throws for an `http_config` that cannot be used. */
export async function openDestinations(
  { alertmanagers }: AlertingConfig,
  { log, userAgent }: { readonly log: Logger; readonly userAgent: string },
): Promise<AlertDestinations> {
  // One client a configuration object: it holds the connections. A reload brings new objects.
  const clients = new Map<HttpClientConfig, HttpClient>()
  const authorizers: CloudAuthorizer[] = []
  const destinations: AlertDestination[] = []
  async function close(): Promise<void> {
    await Promise.all([...clients.values(), ...authorizers].map((one) => one.close()))
  }

  try {
    for (const { http, sigv4, scheme, pathPrefix, timeoutMs, alertRelabelConfigs: relabelRules, discovery } of alertmanagers) {
      const client = clients.get(http) ?? createHttpClient(http)
      clients.set(http, client)
      const authorizer = sigv4 === undefined ? undefined : createCloudAuthorizer({ kind: 'sigv4', config: sigv4 }, { http, userAgent })
      if (authorizer !== undefined) authorizers.push(authorizer)
      for (const found of discovery) {
        if (found.mechanism !== 'static') {
          log.warn(`alertmanagers found by ${found.mechanism}_sd_configs are not built yet; only static_configs are used`)
          continue
        }
        for (const address of found.groups.flatMap(({ targets }) => targets)) {
          const url = alertsUrl(scheme, address, pathPrefix)
          const signed = authorizer === undefined ? {} : { authorizer }
          destinations.push(createHttpDestination({ url, client, timeoutMs, relabelRules, userAgent, ...signed }))
        }
      }
    }
  } catch (error) {
    await close()
    throw error
  }
  return { destinations, close }
}
