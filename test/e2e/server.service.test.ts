import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { cpSync, readdirSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { CorruptionError } from '@narthex/tsdb/wal/wal-format'
import { SegmentReader } from '@narthex/tsdb/wal/segment-reader'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { RemoteWriteLoad, seriesLabels } from '../bench/remote-write-load.ts'
import { queryMatrix, queryVector, startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { findProgram } from '../kit/packages.ts'
import { waitFor } from '../kit/process.ts'
import { sendRound, writeRequest } from '../kit/remote-write.ts'
import { startNodeExporter, startPrometheus, startVmagent, type Service } from '../kit/services.ts'

const emptyConfig = 'scrape_configs: []\n'

describe('narthex server beside the tools of Prometheus', () => {
  let server: NarthexProcess
  const services: Service[] = []
  beforeAll(async () => {
    server = await startNarthex('server', { config: emptyConfig })
    await writeRequest(server.url, [
      {
        labels: { __name__: 'requests_total', job: 'a' },
        samples: Array.from({ length: 20 }, (_, i) => [Date.now() - (20 - i) * 15_000, i * 30]),
      },
      { labels: { __name__: 'temperature', room: 'north' }, samples: [[Date.now() - 1_000, 21.5]] },
    ])
  }, 60_000)
  afterEach(async () => {
    for (const service of services.splice(0).reverse()) await service.stop()
  })
  afterAll(async () => {
    await server.remove()
  })

  const promtool = (...args: string[]) => {
    const result = spawnSync(findProgram('promtool')!, args, { encoding: 'utf8' })
    expect(result.status, result.stderr).toBe(0)
    return result.stdout
  }

  test('promtool query instant', () => {
    expect(promtool('query', 'instant', server.url, 'temperature + 0.5')).toMatch(/\{room="north"\} => 22 @\[/)
  })

  test('promtool query range', () => {
    const end = Math.floor(Date.now() / 1000)
    const text = promtool('query', 'range', `--start=${end - 240}`, `--end=${end}`, '--step=60s', server.url, 'rate(requests_total[2m])')
    expect(text).toContain('{job="a"} =>')
    // 30 every 15 s; the extrapolation costs the last digit, here as in Prometheus.
    expect(text).toMatch(/^(2|1\.999999\d*) @\[/m)
  })

  test('promtool query series and labels', () => {
    expect(promtool('query', 'series', '--match=temperature', server.url)).toContain('room="north"')
    expect(promtool('query', 'labels', server.url, '__name__')).toContain('requests_total')
  })

  test('a Prometheus in agent mode can write to it', async () => {
    const exporter = await startNodeExporter()
    services.push(exporter)
    const scrape = `scrape_configs: [{job_name: from-prometheus, static_configs: [{targets: ['127.0.0.1:${exporter.port}']}]}]`
    const config = `global: {scrape_interval: 1s}\n${scrape}\nremote_write: [{url: '${server.url}/api/v1/write'}]\n`
    services.push(await startPrometheus({ config, agent: true }))
    await waitFor('its samples', async () => (await queryVector(server.url, 'up{job="from-prometheus"} == 1')).length === 1, {
      timeoutMs: 30_000,
    })
    expect((await queryVector(server.url, 'node_uname_info{job="from-prometheus"}')).length).toBe(1)
  })

  test('a vmagent can write to it', async () => {
    const exporter = await startNodeExporter()
    services.push(exporter)
    const config = `global: {scrape_interval: 1s}\nscrape_configs: [{job_name: from-vmagent, static_configs: [{targets: ['127.0.0.1:${exporter.port}']}]}]\n`
    services.push(await startVmagent(config, `${server.url}/api/v1/write`))
    await waitFor('its samples', async () => (await queryVector(server.url, 'up{job="from-vmagent"} == 1')).length === 1, {
      timeoutMs: 30_000,
    })
    expect((await queryVector(server.url, 'node_uname_info{job="from-vmagent"}')).length).toBe(1)
  })

  test('a malformed query answers 400 with the position', async () => {
    const response = await fetch(`${server.url}/api/v1/query?query=${encodeURIComponent('sum(up')}`)
    expect(response.status).toBe(400)
    expect(await response.text()).toMatch(/1:\d+: parse error/)
  })

  test('malformed writes answer 400 and 415 and change nothing', async () => {
    const appended = async () => {
      const text = await (await fetch(`${server.url}/metrics`)).text()
      return /^prometheus_tsdb_head_samples_appended_total\{type="float"\} .*$/m.exec(text)?.[0]
    }
    const before = await appended()
    expect(before).toBeDefined()
    const post = (body: Buffer<ArrayBuffer>, type: string) =>
      fetch(`${server.url}/api/v1/write`, { method: 'POST', body, headers: { 'content-type': type, 'content-encoding': 'snappy' } })
    expect((await post(Buffer.from('not snappy'), 'application/x-protobuf')).status).toBe(400)
    expect((await post(Buffer.from([0]), 'text/plain')).status).toBe(415)
    // A declared size of 32 MiB and one byte is refused before memory is taken.
    expect((await post(Buffer.from([0x81, 0x80, 0x80, 0x10, 0]), 'application/x-protobuf')).status).toBe(400)
    expect(await appended()).toBe(before)
  })
})

/** What promtool finds. It refuses a log whose last record was being written: then what it finds before that one, with nothing behind it. */
function dumpKilled(data: string): SpawnSyncReturns<string> {
  const dumpOf = (directory: string) =>
    spawnSync(findProgram('promtool')!, ['tsdb', 'dump', directory], { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 })
  const dump = dumpOf(data)
  const [, segment] = /corruption in segment \S*\/wal\/(\d+) at \d+/.exec(dump.stderr) ?? []
  if (segment === undefined) {
    expect(dump.status, dump.stderr).toBe(0)
    return dump
  }
  expect(segment).toBe(
    readdirSync(join(data, 'wal'))
      .filter((name) => /^\d+$/.test(name))
      .sort()
      .at(-1),
  )
  const copy = `${data}-cut`
  cpSync(data, copy, { recursive: true })
  const path = join(copy, 'wal', segment)
  const reader = new SegmentReader(path)
  expect(() => {
    while (reader.next() !== undefined);
  }).toThrow(CorruptionError)
  truncateSync(path, reader.recordOffset)
  reader.close()
  const cut = dumpOf(copy)
  expect(cut.status, cut.stderr).toBe(0)
  return cut
}

describe('narthex server and SIGKILL', () => {
  test('finds every acknowledged sample after a kill in mid-ingest; promtool reads the log', { timeout: 120_000 }, async () => {
    let server = await startNarthex('server', { config: emptyConfig })
    const rounds = 12
    const startMs = Date.now() - rounds * 15_000
    const load = new RemoteWriteLoad(5_000, 500, startMs)
    try {
      const acknowledged: { time: number; values: Map<number, number> }[] = []
      const killed = waitFor('enough rounds', () => acknowledged.length >= 5, { timeoutMs: 60_000 }).then(() =>
        server.child.kill('SIGKILL'),
      )
      for (let round = 0; round < rounds; round++) {
        load.step()
        const values = new Map<number, number>()
        const record = { time: load.timeMs, values }
        acknowledged.push(record)
        try {
          await sendRound(load, server.url, (request) => {
            for (let i = request * 500; i < (request + 1) * 500; i++) values.set(i, load.value(i))
          })
        } catch {
          break
        }
      }
      await killed
      await server.exited
      const { directory, port } = server
      const dump = dumpKilled(join(directory, 'data'))
      const dumped = dump.stdout.split('\n').filter((line) => line.startsWith('{')).length
      const total = acknowledged.reduce((sum, { values }) => sum + values.size, 0)
      expect(dumped).toBeGreaterThanOrEqual(total)
      server = { ...(await startNarthex('server', { config: emptyConfig, directory, port })), directory }
      let missing = 0
      for (const { time, values } of acknowledged) {
        if (values.size === 0) continue
        const found = new Map<string, string>()
        for (const { metric, value } of await queryVector(server.url, '{cluster=~".+"}', time / 1000)) found.set(keyOf(metric), value[1])
        for (const [index, value] of values) {
          if (Number(found.get(keyOf(Object.fromEntries(seriesLabels(index))))) !== value) missing++
        }
      }
      expect(missing).toBe(0)
      expect(total).toBeGreaterThanOrEqual(20_000)
    } finally {
      await server.remove()
    }
  })
})

describe('narthex server as a whole Prometheus', () => {
  // The full trial takes two minutes; NARTHEX_TRIAL_SECONDS shortens it while developing.
  const seconds = Number(process.env['NARTHEX_TRIAL_SECONDS'] ?? 120)

  test(
    'scrapes the same targets as Prometheus and stores the same series, labels and values',
    { timeout: (seconds + 90) * 1000 },
    async () => {
      const exporter = await startNodeExporter()
      const rules = `groups: [{name: g, rules: [{record: job:up:sum, expr: sum by (job) (up)}, {alert: Always, expr: vector(1)}]}]\n`
      const targets = `static_configs: [{targets: ['127.0.0.1:${exporter.port}'], labels: {team: a}}]`
      const relabel = `metric_relabel_configs: [{source_labels: [__name__], regex: 'go_.*', action: drop}]`
      const config = `global: {scrape_interval: 5s, evaluation_interval: 5s}
rule_files: [rules.yml]
scrape_configs:
  - {job_name: node, ${targets}}
  - {job_name: small, ${targets}, ${relabel}, params: {'collect[]': [cpu, loadavg]}}
  - {job_name: nobody, static_configs: [{targets: ['127.0.0.1:1']}]}
`
      const files = { 'rules.yml': rules }
      const theirs = await startPrometheus({ config, files })
      const ours = await startNarthex('server', { config, files })
      try {
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
        const end = Math.floor(Date.now() / 1000)
        const labelsOf = async (url: string, query: string) =>
          new Set((await queryVector(url, query, end)).map((entry) => keyOf(entry.metric)))
        // Each label set that one has, the other has; the exporter's own run-time families differ from scrape to scrape.
        const selector = '{job=~"node|small|nobody",__name__!~"go_.*|promhttp_.*|process_.*"}'
        const [mine, other] = [await labelsOf(ours.url, selector), await labelsOf(theirs.url, selector)]
        expect([...mine].filter((key) => !other.has(key))).toEqual([])
        expect([...other].filter((key) => !mine.has(key))).toEqual([])
        expect(mine.size).toBeGreaterThan(300)
        // Values that do not move are equal; counts of samples agree within the scrape at the edge.
        const constants =
          'node_memory_MemTotal_bytes or node_boot_time_seconds or node_uname_info or up or scrape_samples_scraped{job="small"}'
        const values = async (url: string) =>
          new Map((await queryVector(url, constants, end)).map((entry) => [keyOf(entry.metric), entry.value[1]]))
        expect(await values(ours.url)).toEqual(await values(theirs.url))
        const counts = async (url: string) =>
          (await queryVector(url, `count_over_time(up[${seconds - 20}s])`, end - 5)).map((entry) => Number(entry.value[1]))
        const [countsOurs, countsTheirs] = [await counts(ours.url), await counts(theirs.url)]
        for (const count of [...countsOurs, ...countsTheirs]) expect(Math.abs(count - (seconds - 20) / 5)).toBeLessThanOrEqual(1)
        // A counter that moves: both saw the same process, so the values interleave.
        const idle = async (url: string) =>
          queryMatrix(url, 'sum(node_cpu_seconds_total{job="node",mode="idle"})', end - seconds + 30, end - 10, 10)
        const [idleOurs, idleTheirs] = [await idle(ours.url), await idle(theirs.url)]
        idleOurs[0]!.values.forEach(([, value], index) =>
          expect(Math.abs(Number(value) - Number(idleTheirs[0]!.values[index]![1]))).toBeLessThan(25),
        )
        // Rules, too.
        const ruleResults = async (url: string) =>
          new Map((await queryVector(url, '{__name__=~"job:up:sum|ALERTS"}', end)).map((entry) => [keyOf(entry.metric), entry.value[1]]))
        expect(await ruleResults(ours.url)).toEqual(await ruleResults(theirs.url))
      } finally {
        await ours.remove()
        await theirs.stop()
        await exporter.stop()
      }
    },
  )
})

function keyOf(metric: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)))
}
