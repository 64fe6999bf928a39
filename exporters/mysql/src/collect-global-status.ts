import type { MetricWriter } from '@narthex/exporter-kit/collector'
import { parseGoFloat } from '@narthex/model/number'
import type { MysqlCollector, MysqlSession } from './mysql-collector.ts'
import { readText } from './query-result.ts'
import { parseStatusValue, toMetricName } from './status-value.ts'

interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'untyped'
}

/** Where a status variable goes; undefined for one that repeats others. */
type Place = { readonly family: Family; readonly labels: readonly string[] } | undefined

const folded: ReadonlyMap<string, { readonly family: Family; readonly label: string }> = new Map([
  ['com', fold('commands_total', 'Executed MySQL commands.', 'command')],
  ['handler', fold('handlers_total', 'Executed handler calls.', 'handler')],
  ['connection_errors', fold('connection_errors_total', 'MySQL connection errors.', 'error')],
  ['innodb_rows', fold('innodb_row_ops_total', 'MySQL InnoDB row operations.', 'operation')],
  [
    'performance_schema',
    fold('performance_schema_lost_total', 'Instrumentations that could not be loaded for lack of memory.', 'instrumentation'),
  ],
])
const prefix = /^(com|handler|connection_errors|innodb_buffer_pool_pages|innodb_rows|performance_schema)_(.*)$/

const pages: Family = { name: 'mysql_global_status_buffer_pool_pages', help: 'InnoDB buffer pool pages by state.', type: 'gauge' }
const dirtyPages: Family = { name: 'mysql_global_status_buffer_pool_dirty_pages', help: 'InnoDB buffer pool dirty pages.', type: 'gauge' }
const pageChanges: Family = {
  name: 'mysql_global_status_buffer_pool_page_changes_total',
  help: 'InnoDB buffer pool page state changes.',
  type: 'counter',
}

const galeraTexts: ReadonlySet<string> = new Set([
  'wsrep_local_state_uuid',
  'wsrep_cluster_state_uuid',
  'wsrep_provider_version',
  'wsrep_evs_repl_latency',
])

const latencyParts = ['min_seconds', 'avg_seconds', 'max_seconds', 'stdev', 'sample_size']

/** Places that are remembered: a server has some hundreds of variables, plug-ins add more. */
const placesMax = 4096

export function createGlobalStatusCollector(): MysqlCollector {
  const places = new Map<string, Place>()

  function placeOf(variable: string): Place {
    const known = places.get(variable)
    if (known !== undefined || places.has(variable)) return known
    const place = findPlace(toMetricName(variable))
    if (places.size >= placesMax) places.clear()
    places.set(variable, place)
    return place
  }

  async function collect(session: MysqlSession, writer: MetricWriter): Promise<void> {
    const { rows } = await session.query('SHOW GLOBAL STATUS')
    const texts = new Map<string, string>()
    let last: Family | undefined
    for (const row of rows) {
      const variable = readText(row[0])
      const text = readText(row[1])
      const value = parseStatusValue(text)
      if (value === undefined) {
        const key = toMetricName(variable)
        if (galeraTexts.has(key)) texts.set(key, text)
        continue
      }
      const place = placeOf(variable)
      if (place === undefined) continue
      if (place.family !== last) writer.family(place.family.name, place.family.help, place.family.type)
      last = place.family
      writer.sample(value, place.labels)
    }
    writeGalera(writer, texts)
  }

  return { name: 'global_status', defaultOn: true, source: 'SHOW GLOBAL STATUS', collect }
}

function findPlace(key: string): Place {
  const match = prefix.exec(key)
  if (match === null) {
    const family: Family = { name: `mysql_global_status_${key}`, help: 'Generic metric from SHOW GLOBAL STATUS.', type: 'untyped' }
    return { family, labels: [] }
  }
  const [, kind, rest] = match as unknown as [string, string, string]
  const fold = folded.get(kind)
  if (fold !== undefined) return { family: fold.family, labels: [fold.label, rest] }
  if (rest === 'total') return undefined
  if (rest === 'dirty') return { family: dirtyPages, labels: [] }
  if (['data', 'free', 'misc', 'old'].includes(rest)) return { family: pages, labels: ['state', rest] }
  return { family: pageChanges, labels: ['operation', rest] }
}

function writeGalera(writer: MetricWriter, texts: ReadonlyMap<string, string>): void {
  const text = (name: string): string => texts.get(name) ?? ''
  if (text('wsrep_local_state_uuid') !== '') {
    writer.family('mysql_galera_status_info', 'PXC/Galera status information.', 'gauge')
    const names = ['wsrep_cluster_state_uuid', 'wsrep_local_state_uuid', 'wsrep_provider_version']
    writer.sample(
      1,
      names.flatMap((name) => [name, text(name)]),
    )
  }
  const values = text('wsrep_evs_repl_latency').split('/').map(parseGoFloat)
  if (values.length !== latencyParts.length || values.includes(undefined)) return
  for (const [index, part] of latencyParts.entries()) {
    writer.family(`mysql_galera_evs_repl_latency_${part}`, 'PXC/Galera group communication latency.', 'gauge')
    writer.sample(values[index]!)
  }
}

function fold(name: string, help: string, label: string): { readonly family: Family; readonly label: string } {
  return { family: { name: `mysql_global_status_${name}`, help, type: 'counter' }, label }
}
