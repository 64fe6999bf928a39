import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { waitFor } from '../kit/process.ts'
import { findShared } from '../kit/shared.ts'

// The server's own metrics beside the inventory of those of Prometheus (../shared/parity/own-metrics.tsv).

/** Without a meaning here. */
const meaningless: readonly RegExp[] = [
  // A dialer for each job of Go's client.
  /^net_conntrack_dialer_/,
  // There is no isolation of appends, no appender that stays open, and no cache that is flushed by force.
  /^prometheus_tsdb_(isolation_|head_active_appenders)/,
  /^prometheus_target_scrapes_cache_flush_forced_total$/,
  /^prometheus_tsdb_snapshot_replay_error_total$/,
  // The log is read by one thread for all remotes, which have no interner of texts and no watcher each.
  /^prometheus_remote_storage_string_interner_/,
  /^prometheus_wal_watcher_(record_decode_failures|records_read|samples_sent_pre_tailing)_total$/,
  // ZooKeeper is no discovery here.
  /^prometheus_treecache_/,
  // Names of before Prometheus 2.23, which the mixin still asks for first.
  /^prometheus_remote_storage_(dropped|failed|pending|retried|succeeded)_samples/,
  /^prometheus_remote_storage_queue_highest_timestamp_seconds$/,
  // Of Alertmanager's cluster.
  /^alertmanager_/,
]

interface Family {
  readonly name: string
  readonly type: string
  readonly labels: readonly string[]
  readonly isOfMixin: boolean
}

const shared = findShared()

function readInventory(): Family[] {
  if (shared === undefined) return []
  const lines = readFileSync(join(shared, 'parity', 'own-metrics.tsv'), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
  const rows = lines
    .map((line) => line.split('\t'))
    .filter(([, type, , programs]) => type === '' || programs?.split(',').includes('server'))
  return rows.map(([name = '', type = '', labels = '', , mixin]) => {
    return { name, type, labels: labels.split(',').filter((label) => label !== ''), isOfMixin: mixin === 'yes' }
  })
}

let ours: NarthexProcess
let text = ''

beforeAll(async () => {
  const rules = 'groups: [{name: g, interval: 1s, rules: [{record: a, expr: vector(1)}, {alert: B, expr: vector(1)}]}]\n'
  // Nobody answers at any of these addresses.
  const config = `
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:1']}]}]}
remote_write: [{url: 'http://127.0.0.1:1/write', queue_config: {batch_send_deadline: 1s}}]
scrape_configs:
- {job_name: self, scrape_interval: 1s, static_configs: [{targets: ['127.0.0.1:1']}]}
- {job_name: http, http_sd_configs: [{url: 'http://127.0.0.1:1/targets'}]}
- {job_name: pods, kubernetes_sd_configs: [{role: pod, api_server: 'http://127.0.0.1:1'}]}
`
  ours = await startNarthex('server', { config, files: { 'rules.yml': rules }, args: ['--enable-feature=exemplar-storage'] })
  await waitFor(
    'the first samples to be sent',
    async () => {
      text = await (await fetch(`${ours.url}/metrics`)).text()
      return (
        /^prometheus_remote_storage_samples_in_total [1-9]/m.test(text) && /^prometheus_rule_group_iterations_total\{.*\} [2-9]/m.test(text)
      )
    },
    { timeoutMs: 30_000 },
  )
}, 60_000)
afterAll(() => ours?.remove())

describe.skipIf(shared === undefined)('the metrics of the server', () => {
  const inventory = readInventory().filter(({ name }) => !meaningless.some((pattern) => pattern.test(name)))

  test('have the families of Prometheus', () => {
    const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]))
    const missing = inventory.filter(({ name, type }) => !types.has(name) || (type !== '' && types.get(name) !== type))
    expect(missing.map(({ name, type }) => `${name}: want ${type}, got ${types.get(name) ?? 'nothing'}`)).toEqual([])
  })

  test('have the labels of Prometheus', () => {
    const wrong: string[] = []
    for (const { name, type, labels } of inventory) {
      const samples = [...text.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?(?:\\{(.*)\\})? `, 'gm'))]
      // One of a type that nothing happened of has no samples.
      const found = new Set(samples.flatMap(([, list = '']) => [...list.matchAll(/(\w+)="/g)].map(([, label]) => label!)))
      for (const label of ['le', 'quantile']) found.delete(label)
      const missing = labels.filter((label) => !found.has(label))
      if (samples.length > 0 && type !== '' && missing.length > 0) wrong.push(`${name}: want ${labels.join()}, got ${[...found].join()}`)
    }
    expect(wrong).toEqual([])
  })
})
