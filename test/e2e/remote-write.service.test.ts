import { afterEach, describe, expect, test } from 'vitest'
import { Receiver } from '../faults/agent/receiver.ts'
import { askApi, queryMatrix, startNarthex, type MatrixEntry, type NarthexProcess } from '../kit/narthex.ts'
import { waitFor } from '../kit/process.ts'
import { writeRequest, type WriteSeries } from '../kit/remote-write.ts'
import { startPrometheus, startVictoriaMetrics } from '../kit/services.ts'

const stepMs = 1_000

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

function keep<Program extends { stop(): Promise<unknown> }>(program: Program): Program {
  cleanups.push(() => program.stop())
  return program
}

function keepOwn(program: NarthexProcess): NarthexProcess {
  cleanups.push(() => program.remove())
  return program
}

/** The samples `from` to before `to` of some series: sample i has the value i. */
function createSeries(count: number, startMs: number, from: number, to: number): WriteSeries[] {
  return Array.from({ length: count }, (_, series) => ({
    labels: { __name__: 'torture_round', instance: '127.0.0.1:9100', series: String(series) },
    samples: Array.from({ length: to - from }, (_unused, i) => [startMs + (from + i) * stepMs, from + i] as const),
  }))
}

async function writeAll(url: string, series: readonly WriteSeries[]): Promise<void> {
  const steps = series[0]!.samples.length
  // One sample a series a request, as scrapes give them.
  for (let step = 0; step < steps; step++) {
    await writeRequest(
      url,
      series.map(({ labels, samples }) => ({ labels, samples: [samples[step]!] })),
    )
  }
}

function sortMatrix(matrix: readonly MatrixEntry[]): readonly MatrixEntry[] {
  return matrix.toSorted((a, b) => Number(a.metric['series']) - Number(b.metric['series']))
}

interface RemoteEntry {
  readonly name: string
  readonly state: string
  readonly samplesSent: number
  readonly lostSamples: Readonly<Record<string, number>>
}

function askRemotes(url: string): Promise<readonly RemoteEntry[]> {
  return askApi<{ remotes: readonly RemoteEntry[] }>(url, 'api/v1/status/remote_write').then(({ remotes }) => remotes)
}

describe('remote_write of the server', () => {
  test('our server, Prometheus and VictoriaMetrics get what was received and what rules made', async () => {
    const own = keepOwn(await startNarthex('server', { config: 'scrape_configs: []\n' }))
    const prometheus = keep(await startPrometheus({ config: 'scrape_configs: []\n' }))
    const victoria = keep(await startVictoriaMetrics())
    const remote = (name: string, url: string, more = ''): string =>
      `- {name: ${name}, url: '${url}/api/v1/write', queue_config: {batch_send_deadline: 100ms}${more}}`
    const server = keepOwn(
      await startNarthex('server', {
        config: [
          'global: {external_labels: {site: north}, evaluation_interval: 1s}',
          'rule_files: [rules.yml]',
          'remote_write:',
          remote(
            'own',
            own.url,
            ", write_relabel_configs: [{regex: site, action: labeldrop}, {source_labels: [series], regex: '9', action: drop}]",
          ),
          remote('prometheus', prometheus.url),
          remote('victoria', victoria.url, ', protobuf_message: prometheus.WriteRequest'),
          '',
        ].join('\n'),
        files: { 'rules.yml': 'groups: [{name: a, rules: [{record: made_by_rule, expr: vector(7)}]}]\n' },
      }),
    )
    const startMs = Math.floor(Date.now() / 1000) * 1000 - 60_000
    await writeAll(server.url, createSeries(10, startMs, 0, 30))
    const endMs = startMs + 29 * stepMs
    const read = async (url: string, query: string): Promise<readonly MatrixEntry[]> =>
      sortMatrix(await queryMatrix(url, query, startMs / 1000, endMs / 1000, stepMs / 1000))
    const expected = await read(server.url, 'torture_round')
    expect(expected).toHaveLength(10)
    expect(expected[0]!.values).toHaveLength(30)

    const withSite = expected.map(({ metric, values }) => ({ metric: { ...metric, site: 'north' }, values }))
    await expect.poll(() => read(prometheus.url, 'torture_round'), { timeout: 20_000 }).toEqual(withSite)
    // What VictoriaMetrics has taken is not searched in the same second.
    await expect.poll(() => read(victoria.url, 'torture_round'), { timeout: 20_000 }).toEqual(withSite)
    await expect.poll(() => read(own.url, 'torture_round'), { timeout: 20_000 }).toEqual(expected.slice(0, 9))
    for (const { url } of [own, prometheus]) {
      await waitFor(
        'the rule',
        async () => (await askApi<{ result: unknown[] }>(url, 'api/v1/query', { query: 'made_by_rule' })).result.length === 1,
      )
    }
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    expect(metrics).toMatch(/prometheus_remote_storage_samples_dropped_total\{remote_name="own",url="[^"]+",reason="dropped_series"\} 30\n/)
    expect(metrics).toMatch(/prometheus_remote_storage_samples_failed_total\{remote_name="prometheus",url="[^"]+"\} 0\n/)
    expect((await askRemotes(server.url)).map(({ name, state }) => ({ name, state }))).toEqual([
      { name: 'own', state: 'ok' },
      { name: 'prometheus', state: 'ok' },
      { name: 'victoria', state: 'ok' },
    ])
  }, 90_000)

  test('an outage of the remote and a SIGKILL of the server in it lose no sample, and keep the order', async () => {
    const receiver = keep(new Receiver())
    await receiver.start()
    receiver.behaviour = { kind: 'down' }
    const config = `remote_write: [{name: a, url: '${receiver.url}', queue_config: {batch_send_deadline: 200ms, capacity: 500, max_samples_per_send: 100}}]\n`
    const seriesCount = 50
    const startMs = Date.now() - 200_000
    const first = await startNarthex('server', { config })
    cleanups.push(() => first.remove())
    await writeAll(first.url, createSeries(seriesCount, startMs, 1, 41))
    receiver.behaviour = { kind: 'ok' }
    await waitFor('some samples', () => receiver.samples > 200, { timeoutMs: 20_000 })
    receiver.behaviour = { kind: 'down' }
    await writeAll(first.url, createSeries(seriesCount, startMs, 41, 81))
    process.kill(first.pid, 'SIGKILL')
    await first.exited

    const second = await startNarthex('server', { config, directory: first.directory })
    cleanups.push(() => second.stop())
    await writeAll(second.url, createSeries(seriesCount, startMs, 81, 101))
    receiver.behaviour = { kind: 'ok' }
    const missing = (): number => {
      let count = 0
      for (let series = 0; series < seriesCount; series++) {
        for (let round = 1; round <= 100; round++) if (!receiver.has(0, series, round)) count++
      }
      return count
    }
    await expect.poll(missing, { timeout: 30_000 }).toBe(0)
    expect(receiver.report().orderViolations).toBe(0)
    const [remote] = await askRemotes(second.url)
    expect(remote).toMatchObject({ state: 'ok', lostSamples: {} })

    // A stop in order ends with nothing left to send, and the next start sends nothing again.
    await second.stop(6_000)
    const { samples } = receiver
    const third = await startNarthex('server', { config, directory: first.directory })
    cleanups.push(() => third.stop())
    await writeAll(third.url, createSeries(seriesCount, startMs, 101, 102))
    await waitFor('the last round', () => receiver.newestRound(0, 0) === 101, { timeoutMs: 20_000 })
    expect(receiver.samples - samples).toBe(seriesCount)
  }, 120_000)
})
