import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askApi, startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { inWordsOf3 } from '../kit/newer-words.ts'
import { makeTemporaryDirectory, waitFor } from '../kit/process.ts'
import { writeRequest, type WriteExemplar } from '../kit/remote-write.ts'
import { startPrometheus, type Service } from '../kit/services.ts'

// Exemplars and metadata beside Debian's Prometheus: the same in, the same answers out, also after a kill and on each other's data directory.

const temporary = makeTemporaryDirectory()
const nowMs = Math.floor(Date.now() / 1000) * 1000
const features = '--enable-feature=exemplar-storage,metadata-wal-records'
const capacity = 12
let target: Server
let targetBody = ''
let ours: NarthexProcess
let theirs: Service

const config = (maxExemplars: number, port: number) =>
  `scrape_configs: [{job_name: om, scrape_interval: 1s, static_configs: [{targets: ['127.0.0.1:${port}'], labels: {instance: t}}]}]\n` +
  `storage: {exemplars: {max_exemplars: ${maxExemplars}}}\n`
const targetPort = () => (target.address() as AddressInfo).port
const idle = config(capacity, 1)

beforeAll(async () => {
  target = createServer((_request, response) => {
    response.setHeader('content-type', 'application/openmetrics-text; version=1.0.0; charset=utf-8')
    response.end(targetBody)
  })
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve))
  ;[ours, theirs] = await Promise.all([
    startNarthex('server', { config: idle, args: [features, '--web.enable-lifecycle'] }),
    startPrometheus({ config: idle, args: [features] }),
  ])
}, 60_000)
afterAll(async () => {
  await Promise.all([ours?.remove(), theirs?.stop()])
  target.close()
  temporary.remove()
})

const exemplar = (timeMs: number, value: number, trace: string): WriteExemplar => ({
  labels: { trace_id: trace, a: 'é"\\' },
  value,
  timeMs,
})

async function writeBoth(labels: Record<string, string>, exemplars: readonly WriteExemplar[], hasSample = true): Promise<void> {
  for (const url of [ours.url, theirs.url]) await writeRequest(url, [{ labels, samples: hasSample ? [[nowMs, 1]] : [], exemplars }])
}

const queries: readonly (readonly [query: string, start: number, end: number])[] = [
  ['a', nowMs - 1e6, nowMs + 1e6],
  ['{__name__=~".+"}', nowMs - 1e6, nowMs + 1e6],
  ['histogram_quantile(0.9, rate(b_bucket[5m])) + on() sum(a{x="1"})', nowMs - 1e6, nowMs + 1e6],
  ['a', nowMs - 5000, nowMs - 4000],
  ['a{x!="1"} or b_bucket', nowMs - 4999, nowMs],
  ['nothing', 0, nowMs],
]

function find(url: string, [query, start, end]: (typeof queries)[number]): Promise<unknown> {
  return askApi(url, 'api/v1/query_exemplars', { query, start: String(start / 1000), end: String(end / 1000) })
}

async function expectSame(url = ours.url, otherUrl = theirs.url): Promise<void> {
  for (const query of queries) expect(await find(url, query), query[0]).toEqual(await find(otherUrl, query))
  const all = (await find(url, queries[1]!)) as { exemplars: unknown[] }[]
  expect(all.length).toBeGreaterThan(0)
}

async function metrics(url: string): Promise<string[]> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return text.split('\n').filter((line) => /^(# HELP )?prometheus_tsdb_exemplar_/.test(line) && !line.includes('out_of_order'))
}

async function killOurs(): Promise<void> {
  ours.child.kill('SIGKILL')
  await ours.exited
  ours = await startNarthex('server', { directory: ours.directory, config: idle, args: [features, '--web.enable-lifecycle'] })
}

async function reloadBoth(text: string): Promise<void> {
  for (const { url, directory } of [ours, theirs]) {
    writeFileSync(join(directory, 'prometheus.yml'), text)
    expect((await fetch(`${url}/-/reload`, { method: 'POST' })).status).toBe(200)
  }
}

describe('exemplars', () => {
  test('that were written are answered as Prometheus does', async () => {
    await writeBoth({ __name__: 'a', x: '1' }, [exemplar(nowMs - 5000, 0.1, 't1'), exemplar(nowMs - 4000, 1e9, 't2')])
    await writeBoth({ __name__: 'a', x: '2' }, [exemplar(nowMs - 5001, 1e-9, 't3'), { labels: {}, value: NaN, timeMs: nowMs - 4321 }])
    await writeBoth({ __name__: 'b_bucket', le: '+Inf' }, [exemplar(nowMs, 1e25, 't4')])
    // The same again, one that is older, one of too many characters, and of a series that nobody has.
    await writeBoth({ __name__: 'a', x: '1' }, [exemplar(nowMs - 4000, 1e9, 't2')])
    await writeBoth({ __name__: 'a', x: '1' }, [exemplar(nowMs - 9000, 2, 'late')])
    await writeBoth({ __name__: 'a', x: '1' }, [exemplar(nowMs, 3, 'x'.repeat(200))])
    await writeBoth({ __name__: 'a', x: 'unknown' }, [exemplar(nowMs, 4, 't')], false)
    // Prometheus sends them in series of their own.
    await writeBoth({ __name__: 'a', x: '2' }, [exemplar(nowMs - 100, 5, 't5')], false)
    await expectSame()
    expect(await metrics(ours.url)).toEqual(await metrics(theirs.url))
  })

  test('that the ring has no room for any more are the oldest in both', async () => {
    for (let i = 0; i < 9; i++) await writeBoth({ __name__: 'a', x: String(i % 3) }, [exemplar(nowMs + i, i, `t${i}`)])
    await expectSame()
    expect(await metrics(ours.url)).toEqual(await metrics(theirs.url))
    expect(await metrics(ours.url)).toContain(`prometheus_tsdb_exemplar_exemplars_in_storage ${capacity}`)
  })

  test('are the same after a kill, and each reads the data directory of the other', async () => {
    const before = await Promise.all(queries.map((query) => find(ours.url, query)))
    await killOurs()
    expect(await Promise.all(queries.map((query) => find(ours.url, query)))).toEqual(before)
    const copies = { ours: join(temporary.path, 'ours'), theirs: join(temporary.path, 'theirs', 'data') }
    for (const [from, to] of [
      [ours, copies.ours],
      [theirs, copies.theirs],
    ] as const) {
      cpSync(join(from.directory, 'data'), to, { recursive: true })
      rmSync(join(to, 'lock'), { force: true })
    }
    const [prometheus, narthex] = await Promise.all([
      startPrometheus({ config: idle, args: [features], data: copies.ours }),
      startNarthex('server', { config: idle, args: [features], directory: join(temporary.path, 'theirs') }),
    ])
    try {
      for (const url of [prometheus.url, narthex.url]) await expectSame(url, ours.url)
    } finally {
      await Promise.all([prometheus.stop(), narthex.remove()])
    }
  }, 60_000)

  test('that a reload leaves no room for go, the newest stay', async () => {
    await reloadBoth(config(5, 1))
    await expectSame()
    expect(await metrics(ours.url)).toEqual(await metrics(theirs.url))
    await reloadBoth(config(50, 1))
    await writeBoth({ __name__: 'a', x: '1' }, [exemplar(nowMs + 100, 1, 'larger')])
    await expectSame()
    // The appended ones of ours began anew with the kill.
    expect((await metrics(ours.url)).filter((line) => !line.includes('appended'))).toEqual(
      (await metrics(theirs.url)).filter((line) => !line.includes('appended')),
    )
  })

  test('of scraped targets are answered as Prometheus does', async () => {
    const line = (le: string, count: number, trace: string, timeMs: number) =>
      `latency_bucket{le="${le}"} ${count} # {trace_id="${trace}"} 0.${count} ${timeMs / 1000}`
    const body = (later: number) =>
      [
        '# TYPE latency histogram',
        '# HELP latency How long.',
        line('1.5', 3, `x${later}`, nowMs + later),
        line('+Inf', 7, 'y', nowMs),
      ].join('\n')
    targetBody = `${body(0)}\nlatency_count 7\nlatency_sum 2\n# EOF\n`
    await reloadBoth(config(50, targetPort()))
    const scraped = ['latency_bucket', nowMs, nowMs + 5000] as const
    const have = (count: number) => async () => {
      const answers = (await Promise.all([ours, theirs].map(({ url }) => find(url, scraped)))) as { exemplars: unknown[] }[][]
      return answers.every((series) => series.reduce((sum, { exemplars }) => sum + exemplars.length, 0) === count)
    }
    await waitFor('two exemplars', have(2), { timeoutMs: 10_000 })
    targetBody = `${body(1500)}\nlatency_count 7\nlatency_sum 2\n# EOF\n`
    await waitFor('three exemplars', have(3), { timeoutMs: 10_000 })
    expect(await find(ours.url, scraped)).toEqual(await find(theirs.url, scraped))
  }, 30_000)

  test('go through an agent and remote write, and from the log of a server to its remotes', async () => {
    // The target of the test before.
    const up = await startNarthex('up', { config: config(50, targetPort()), args: [features] })
    // Without targets: theirs would refuse a request whole for one sample that it has itself.
    const queue = 'queue_config: {batch_send_deadline: 1s}'
    const remote = `remote_write: [{url: '${theirs.url}/api/v1/write', send_exemplars: true, ${queue}}]\n`
    const sender = await startNarthex('server', { config: remote, args: [features] })
    try {
      const sent = ['sent', nowMs, nowMs + 5000] as const
      await writeRequest(sender.url, [
        { labels: { __name__: 'sent' }, samples: [[nowMs + 2000, 1]], exemplars: [exemplar(nowMs + 2000, 0.5, 's')] },
      ])
      const hasSome = async (url: string, query: (typeof queries)[number]) => ((await find(url, query)) as unknown[]).length > 0
      await waitFor('the exemplar that was sent', () => hasSome(theirs.url, sent), { timeoutMs: 15_000 })
      expect(await find(theirs.url, sent)).toEqual(await find(sender.url, sent))
      const scraped = ['latency_bucket{le="+Inf"}', nowMs - 5000, nowMs + 5000] as const
      await waitFor('the scraped exemplar', () => hasSome(up.url, scraped), { timeoutMs: 15_000 })
      expect(await find(up.url, scraped)).toEqual(await find(theirs.url, scraped))
    } finally {
      await Promise.all([up.remove(), sender.remove()])
    }
  }, 60_000)

  test('of wrong requests have the answers of Prometheus', async () => {
    for (const query of ['query=(', 'query=', 'query=1', 'query="x"', 'query=a&start=x', 'query=a&end=x', 'query=a&start=5&end=4']) {
      const [own, other] = await Promise.all([ours, theirs].map(({ url }) => fetch(`${url}/api/v1/query_exemplars?${query}`)))
      expect([own!.status, await own!.text()], query).toEqual([other!.status, inWordsOf3(await other!.text())])
    }
  })
})

describe('metadata', () => {
  test('of senders and targets are there after a kill, also when the target has gone', async () => {
    const written = { type: 2, family: 'a', help: 'About "a".', unit: 'bytes' }
    await writeRequest(ours.url, [{ labels: { __name__: 'a', x: '1' }, samples: [[nowMs + 1000, 1]] }], [written])
    const known = async () => ({
      a: await askApi(ours.url, 'api/v1/metadata', { metric: 'a' }),
      latency: await askApi(ours.url, 'api/v1/metadata', { metric: 'latency' }),
    })
    const before = await known()
    expect(before).toEqual({
      a: { a: [{ type: 'gauge', help: 'About "a".', unit: 'bytes' }] },
      latency: { latency: [{ type: 'histogram', help: 'How long.', unit: '' }] },
    })
    expect(before.latency).toEqual(await askApi(theirs.url, 'api/v1/metadata', { metric: 'latency' }))
    // The configuration of a new start names no target.
    await killOurs()
    expect(await known()).toEqual(before)
  }, 30_000)
})
