import type { AddressInfo } from 'node:net'
import type { AlertPayload, QueryFunction } from './interfaces.ts'
import type { ChildProcess } from 'node:child_process'
import type { Server } from 'node:http'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createServer } from 'node:http'
import { FakeStorage } from './rule-kit.ts'
import { join } from 'node:path'
import { Labels } from '@narthex/model/labels'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { parseRuleFile } from '@narthex/config/rule-file'
import { Registry } from '@narthex/service/metrics'
import { RuleManager } from './rule-manager.ts'
import { silentLogger } from '@narthex/service/logger'
import { spawn } from 'node:child_process'
import { systemClock } from '@narthex/service/clock'
import { tmpdir } from 'node:os'
import { viewAlerts, viewRuleGroups } from './api-view.ts'

const rules = `groups:
  - name: g
    interval: 1s
    limit: 10
    rules:
      - record: job:up:count
        expr: count  by(job)   (up)
        labels: {source: rule}
      - alert: Up
        expr: up{job=~"self|x (y)'s*"} == 1 and up > bool 0.5
        labels: {severity: page, who: '{{ $labels.job }}@{{ $externalLabels.zone }}'}
        annotations:
          summary: '{{ $labels.instance | len }} {{ $value | humanize }} {{ printf "%.2f" $value }} {{ .Labels.none }}|'
          ask: '{{ with query "vector(3)" }}{{ . | first | value }}{{ end }} {{ $externalURL }}'
          broken: '{{ humanize "nonsense" }}'
      - alert: Pending
        expr: vector(12.5)
        for: 1h
        keep_firing_for: 5m
      - alert: Never
        expr: vector(1) > 2
`

let directory: string
let sink: Server
let prometheus: ChildProcess | undefined
let url: string
let rulesPath: string
const theirs: AlertPayload[] = []

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  server.close()
  await once(server, 'close')
  return port
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'narthex-rules-service-'))
  sink = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      theirs.push(...(JSON.parse(Buffer.concat(chunks).toString()) as AlertPayload[]))
      response.end()
    })
  })
  const sinkPort = await listen(sink)
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  rulesPath = join(directory, 'rules.yml')
  await writeFile(rulesPath, rules)
  const config = `global: {scrape_interval: 1s, external_labels: {zone: eu}}
rule_files: ['${rulesPath}']
alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:${sinkPort}']}]}]}
scrape_configs: [{job_name: self, static_configs: [{targets: ['127.0.0.1:${port}']}]}]
`
  await writeFile(join(directory, 'prometheus.yml'), config)
  const flags = [`--config.file=${join(directory, 'prometheus.yml')}`, `--storage.tsdb.path=${join(directory, 'data')}`]
  const webFlags = [`--web.listen-address=127.0.0.1:${port}`, '--web.external-url=http://prom.example/sub/', '--web.route-prefix=/']
  prometheus = spawn('prometheus', [...flags, ...webFlags], { stdio: 'ignore' })
  await vi.waitFor(() => expect(theirs.some((alert) => alert.labels['alertname'] === 'Up')).toBe(true), { timeout: 30_000, interval: 200 })
})

afterAll(async () => {
  if (prometheus !== undefined && prometheus.exitCode === null) {
    prometheus.kill()
    await once(prometheus, 'exit')
  }
  sink.close()
  await rm(directory, { recursive: true })
})

interface QueryAnswer {
  readonly data: { readonly result: readonly { readonly metric: Record<string, string>; readonly value: readonly [number, string] }[] }
}

/** Their engine, so that only the rules are compared. */
const query: QueryFunction = async (expression, timeMs) => {
  const parameters = new URLSearchParams({ query: expression, time: String(timeMs / 1000) })
  const { data } = (await (await fetch(`${url}/api/v1/query?${parameters}`)).json()) as QueryAnswer
  const labels = data.result.map(({ metric }) => Labels.from(metric))
  return { labels, values: Float64Array.from(data.result, ({ value }) => Number(value[1])), warnings: [] }
}

/** Takes away what depends on the moment and on the version. */
function normalise(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalise)
  if (typeof value !== 'object' || value === null) return value
  const dropped = new Set(['activeAt', 'evaluationTime', 'lastEvaluation', 'startsAt', 'endsAt'])
  return Object.fromEntries(Object.entries(value).flatMap(([name, inner]) => (dropped.has(name) ? [] : [[name, normalise(inner)]])))
}

test('evaluates, shows and sends the same as Prometheus', async () => {
  const storage = new FakeStorage()
  const { beginAppend, selectLastSamples, sender } = storage
  const options = { query, beginAppend, selectLastSamples, sender, clock: systemClock, log: silentLogger, registry: new Registry() }
  const manager = new RuleManager(options)
  await manager.update({
    groups: parseRuleFile(rules, rulesPath),
    evaluationIntervalMs: 60_000,
    queryOffsetMs: 0,
    externalLabels: { zone: 'eu' },
    externalUrl: 'http://prom.example/sub',
  })
  manager.start()
  try {
    await vi.waitFor(() => expect(storage.sent.length).toBeGreaterThan(0), { timeout: 10_000 })
    // Two more evaluations: restored, and every rule evaluated.
    await vi.waitFor(() => expect(storage.written.some((line) => line.startsWith('ALERTS'))).toBe(true), { timeout: 10_000 })
    // The sender adds external labels; that is the notifier's part here.
    const sent = storage.sent.map((alert) => ({ ...alert, labels: { zone: 'eu', ...alert.labels } }))
    expect(normalise(sent[0])).toEqual(normalise(theirs.find((alert) => alert.labels['alertname'] === 'Up')))

    const ask = async (path: string) => ((await (await fetch(`${url}${path}`)).json()) as { data: unknown }).data
    expect(normalise(viewRuleGroups(manager.groups()))).toEqual(normalise(await ask('/api/v1/rules')))
    expect(normalise(viewAlerts(manager.groups()))).toEqual(normalise(await ask('/api/v1/alerts')))
    for (const [type, path] of [
      ['alert', '/api/v1/rules?type=alert'],
      ['record', '/api/v1/rules?type=record'],
    ] as const) {
      expect(normalise(viewRuleGroups(manager.groups(), { type }))).toEqual(normalise(await ask(path)))
    }
    const names = storage.written.map((line) => line.replace(/@\d+ \S+$/, ''))
    expect([...new Set(names)].sort()).toEqual(await listRuleSeries())
  } finally {
    await manager.stop()
  }
})

async function listRuleSeries(): Promise<string[]> {
  const { data } = (await (await fetch(`${url}/api/v1/series?match[]={__name__=~"ALERTS.*|job:.*"}`)).json()) as {
    data: Record<string, string>[]
  }
  return data.map((labels) => Labels.from(labels).metricString()).sort()
}
