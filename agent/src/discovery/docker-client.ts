import type { DockerDiscovery } from '@narthex/config/discovery-config'
import { createHttpClient } from '@narthex/http/client'
import { errorText, shortenError } from './error-text.ts'
import { isRecord, parseJson, textField } from './json-fields.ts'
import type { DiscoveryContext } from './mechanisms.ts'
import { requestTimeoutMs } from './refresh.ts'

/** A longer answer is refused. */
export const dockerAnswerBytesMax = 64 * 2 ** 20

export interface DockerClient {
  /** Throws on every status but 200, with the daemon's own words. */
  get(path: string, parameters: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown>
  close(): Promise<void>
}

/**
 * Speaks the Docker Engine's API at `unix:///path`, `tcp://host:port` (with TLS if the entry has a `tls_config`), `http://` or `https://`.
 * Paths without a version mean the daemon's own; the few fields we read are the same in all. Throws on another kind of host.
 */
export function createDockerClient(config: DockerDiscovery, context: DiscoveryContext): DockerClient {
  const { base, socketPath } = findHost(config)
  const client = createHttpClient(config.http, {
    userAgent: context.userAgent,
    timeoutMs: requestTimeoutMs(config.refreshIntervalMs),
    bodyBytesMax: dockerAnswerBytesMax,
  })

  async function get(path: string, parameters: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown> {
    const url = new URL(base + path)
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
    const { status, body } = await client.request({ url, signal, ...(socketPath === undefined ? {} : { socketPath }) })
    if (status !== 200) throw new Error(`Error response from daemon: ${status} ${readMessage(body)}`.trimEnd())
    return parseJson(body, `answer of ${path}`)
  }

  return { get, close: () => client.close() }
}

interface DockerHost {
  readonly base: string
  readonly socketPath?: string
}

function findHost({ host, http }: DockerDiscovery): DockerHost {
  if (host.startsWith('unix://')) return { base: 'http://docker', socketPath: host.slice('unix://'.length) }
  const url = host.replace(/^tcp:\/\//, http.tls === undefined ? 'http://' : 'https://').replace(/\/+$/, '')
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return { base: url }
  throw new Error(`cannot use docker host ${JSON.stringify(host)}: want unix:///path, tcp://host:port, http:// or https://`)
}

function readMessage(body: Uint8Array): string {
  try {
    const answer = parseJson(body, 'error')
    return isRecord(answer) ? shortenError(textField(answer, 'message')) : ''
  } catch {
    return errorText(body)
  }
}
