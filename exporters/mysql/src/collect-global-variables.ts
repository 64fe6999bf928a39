import type { MetricWriter } from '@narthex/exporter-kit/collector'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { parseStatusValue, toMetricName } from './status-value.ts'

const textNames: ReadonlySet<string> = new Set([
  'innodb_version',
  'version',
  'version_comment',
  'wsrep_cluster_name',
  'wsrep_provider_options',
  'tx_isolation',
  'transaction_isolation',
])

const cacheUnits: Readonly<Record<string, number>> = { '': 1, M: 1024 ** 2, G: 1024 ** 3 }

/** Names that are remembered: a server has some hundreds of variables, plug-ins add more. */
const namesMax = 4096

export function createGlobalVariablesCollector(): MysqlCollector {
  const metricNames = new Map<string, string>()

  function metricNameOf(variable: string): string {
    const known = metricNames.get(variable)
    if (known !== undefined) return known
    const name = `mysql_global_variables_${toMetricName(variable)}`
    if (metricNames.size >= namesMax) metricNames.clear()
    metricNames.set(variable, name)
    return name
  }

  async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
    const { rows } = await session.query('SHOW GLOBAL VARIABLES')
    const texts = new Map<string, string>()
    for (const row of rows) {
      const variable = readText(row[0])
      const text = readText(row[1])
      const value = parseStatusValue(text)
      if (value !== undefined) {
        writer.family(metricNameOf(variable), 'Generic gauge metric from SHOW GLOBAL VARIABLES.', 'gauge')
        writer.sample(value)
        continue
      }
      const key = toMetricName(variable)
      if (textNames.has(key)) texts.set(key, text)
    }
    writeTexts(writer, (name) => texts.get(name) ?? '')
  }

  return { name: 'global_variables', defaultOn: true, source: 'SHOW GLOBAL VARIABLES', collect }
}

function writeTexts(writer: MetricWriter, text: (name: string) => string): void {
  const version = ['innodb_version', 'version', 'version_comment'].flatMap((name) => [name, text(name)])
  writer.family('mysql_version_info', 'MySQL version and distribution.', 'gauge')
  writer.sample(1, version)
  const cluster = text('wsrep_cluster_name')
  if (cluster !== '') {
    writer.family('mysql_galera_variables_info', 'PXC/Galera variables information.', 'gauge')
    writer.sample(1, ['wsrep_cluster_name', cluster])
  }
  const options = text('wsrep_provider_options')
  if (options !== '') {
    writer.family('mysql_galera_gcache_size_bytes', 'PXC/Galera gcache size.', 'gauge')
    writer.sample(readCacheBytes(options))
  }
  // Renamed in MySQL 8, MariaDB 11.1.
  const level = text('transaction_isolation') || text('tx_isolation')
  if (level !== '') {
    writer.family('mysql_transaction_isolation', 'MySQL transaction isolation.', 'gauge')
    writer.sample(1, ['level', level])
  }
}

/** `…; gcache.size = 128M; …` */
function readCacheBytes(options: string): number {
  const match = /gcache\.size = (\d+)([MG]?);/.exec(options)
  return match === null ? 0 : Number(match[1]) * cacheUnits[match[2]!]!
}
