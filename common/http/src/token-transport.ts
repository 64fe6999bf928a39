import { defaultHttpClientConfig, type HttpClientConfig, type ProxyConfig } from '@narthex/config/http-client-config'

/** The transport settings of an `http_config`, without its own credentials and headers: those are for one host only. */
export function withoutCredentials(config: HttpClientConfig): HttpClientConfig {
  const { basicAuth: _basic, authorization: _authorization, oauth2: _oauth2, httpHeaders: _headers, ...transport } = config
  return { ...transport, httpHeaders: {} }
}

/**
 * How a cloud's own endpoints are reached: by the proxy of the `http_config` if there is one, else by that of the environment, as the clouds'
 * libraries do. The certificates of the `http_config` are for the remote and not used.
 */
export function cloudTransport(config: ProxyConfig | undefined): HttpClientConfig {
  if (config?.proxyUrl === undefined) return { ...defaultHttpClientConfig, proxyFromEnvironment: true }
  const { proxyUrl, noProxy, proxyConnectHeader } = config
  return { ...defaultHttpClientConfig, proxyUrl, proxyConnectHeader, ...(noProxy === undefined ? {} : { noProxy }) }
}
