import { STATUS_CODES } from 'node:http'
import type { HttpDiscovery } from '@narthex/config/discovery-config'
import { createHttpClient } from '@narthex/http/client'
import type { DiscoveryContext } from './mechanisms.ts'
import { readTargetGroups } from './read-target-groups.ts'
import { RefreshDiscoverer, requestTimeoutMs } from './refresh.ts'
import type { TargetGroup } from './target-groups.ts'

/** A longer answer is refused: it is a list of targets, not data. */
export const targetAnswerBytesMax = 64 * 2 ** 20

const jsonContentType = /^application\/json(;\s*charset=("utf-8"|utf-8))?$/i

/** http_sd_configs: asks a URL for a JSON list of target groups. A bad answer keeps what was known. */
export function createHttpDiscoverer(config: HttpDiscovery, context: DiscoveryContext): RefreshDiscoverer {
  const { url, refreshIntervalMs } = config
  const client = createHttpClient(config.http, {
    userAgent: context.userAgent,
    timeoutMs: requestTimeoutMs(refreshIntervalMs),
    bodyBytesMax: targetAnswerBytesMax,
  })
  const headers = { accept: 'application/json', 'x-prometheus-refresh-interval-seconds': String(refreshIntervalMs / 1000) }

  async function ask(signal: AbortSignal): Promise<readonly TargetGroup[]> {
    const { status, headers: answered, body } = await client.request({ url, headers, signal })
    if (status !== 200) throw new Error(`server returned HTTP status ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd())
    const contentType = String(answered['content-type'] ?? '')
    if (!jsonContentType.test(contentType.trim())) throw new Error(`unsupported content type ${JSON.stringify(contentType)}`)
    return readTargetGroups(JSON.parse(Buffer.from(body).toString('utf8')), url, { __meta_url: url })
  }

  async function refresh(signal: AbortSignal): Promise<readonly TargetGroup[]> {
    try {
      return await ask(signal)
    } catch (error) {
      if (!signal.aborted) context.metrics.httpFailures.inc()
      throw error
    }
  }

  return new RefreshDiscoverer({ mechanism: 'http', intervalMs: refreshIntervalMs, refresh, close: () => client.close() }, context)
}
