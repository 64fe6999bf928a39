import type { Endpoint } from './endpoints.ts'
import { NoAnswerError } from './probe-connection.ts'
import { probeMetrics } from './probe-metrics.ts'
import { probeMysql } from './probe-mysql.ts'
import { probeNginx } from './probe-nginx.ts'
import { probeRedis } from './probe-redis.ts'
import type { ProbeResult, ProbeTarget } from './probe-result.ts'

/** Ports of one process that are asked for a metrics page. */
const pagesMax = 4

/** One probe takes at most this long. */
export const probeTimeoutMs = 3000

/**
 * Speaks to a recognised service once, by its own protocol and to the end of what it began. The next endpoint is only tried when nobody
 * answered at the one before. Never rejects.
 */
export async function probeService(target: ProbeTarget): Promise<ProbeResult> {
  if (target.service.rule.protocol === 'nginx') return probeNginx(target, probeTimeoutMs)
  const { protocol, ports } = target.service.rule
  let result: ProbeResult = { kind: 'not-reachable', reason: 'no place to reach it at' }
  const isDefault = (endpoint: Endpoint): boolean => endpoint.kind === 'tcp' && ports.includes(endpoint.port)
  const endpoints = [...target.endpoints].sort((a, b) => Number(isDefault(b)) - Number(isDefault(a)))
  for (const endpoint of protocol === 'metrics' ? endpoints.slice(0, pagesMax) : target.endpoints) {
    result = await probeEndpoint(target, endpoint)
    // An exporter may take data on one port and show its page on another.
    const isElsewhere = result.kind === 'other' && protocol === 'metrics'
    if (result.kind !== 'not-reachable' && !isElsewhere) return result
  }
  return result
}

async function probeEndpoint({ service, credentials }: ProbeTarget, endpoint: Endpoint): Promise<ProbeResult> {
  try {
    switch (service.rule.protocol) {
      case 'mysql':
        return await probeMysql(endpoint, credentials, probeTimeoutMs)
      case 'redis':
        return await probeRedis(endpoint, credentials, probeTimeoutMs)
      default:
        return await probeMetrics(endpoint, service.rule.metricsPath, probeTimeoutMs)
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { kind: error instanceof NoAnswerError ? 'not-reachable' : 'other', reason }
  }
}
