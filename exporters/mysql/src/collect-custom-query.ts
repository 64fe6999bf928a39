import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { CustomQueryCache } from './custom-query-cache.ts'
import type { CustomQuery } from './custom-query-file.ts'
import { readCustomSamples, writeCustomSamples, type CustomSamples } from './custom-query-samples.ts'
import type { MysqlCollector, MysqlSession, ServerIdentity } from './mysql-collector.ts'
import type { ServerVersion } from './server-version.ts'

/** Stands in `collect[]` for all custom queries; each alone is `custom_query.NAME`. */
export const customQueryPrefix = 'custom_query'

/** One query as a collector of its own: it fails alone, and has its own success and duration. */
export function createCustomQueryCollector(query: CustomQuery, cache: CustomQueryCache): MysqlCollector {
  async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
    const cached = cache.find(session.server, query)
    if (cached !== undefined && 'error' in cached) throw cached.error
    const samples = cached?.samples ?? (await ask(session))
    for (const each of samples) writeCustomSamples(writer, each)
    if (query.minIntervalMs === 0) return
    writer.family('narthex_mysql_custom_query_age_seconds', 'Age of the answer to a custom query that has a min_interval.', 'gauge')
    writer.sample((cached?.ageMs ?? 0) / 1000, ['query', query.name])
  }

  async function ask(session: MysqlSession): Promise<readonly CustomSamples[]> {
    try {
      const result = await session.queryReadOnly(query.sql, { timeoutMs: query.timeoutMs, rowsMax: query.rowsMax })
      const samples = readCustomSamples(result, query)
      cache.store(session.server, query, samples)
      return samples
    } catch (error) {
      const failure = new Error(`${query.place}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
      cache.store(session.server, query, failure)
      throw failure
    }
  }

  return {
    name: `${customQueryPrefix}.${query.name}`,
    defaultOn: true,
    source: query.place,
    isFor: (version, server) => isVersionMeant(query, version) && isServerMeant(query, server),
    collect,
  }
}

function isVersionMeant({ product, versionMax, versionMin }: CustomQuery, version: ServerVersion): boolean {
  if (product === undefined) return true
  if (version.isMariadb !== (product === 'mariadb')) return false
  return (
    (versionMin === undefined || compareParts(version, versionMin) >= 0) &&
    (versionMax === undefined || compareParts(version, versionMax) <= 0)
  )
}

/** Only as many numbers count as are given: 8.4.3 equals 8.4. */
function compareParts({ parts }: ServerVersion, wanted: readonly number[]): number {
  for (const [index, number] of wanted.entries()) if (parts[index] !== number) return parts[index]! - number
  return 0
}

function isServerMeant({ authModules, targets }: CustomQuery, { address, section }: ServerIdentity): boolean {
  if (authModules.length > 0 && !authModules.includes(section)) return false
  return targets.length === 0 || targets.some((pattern) => pattern.test(address))
}
