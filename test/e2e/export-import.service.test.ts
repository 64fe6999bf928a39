import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { queryVector, startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { waitFor } from '../kit/process.ts'
import { writeRequest } from '../kit/remote-write.ts'
import { startVictoriaMetrics, type Service } from '../kit/services.ts'

// Samples out of one server and into another, as lines of JSON and CSV; also to and from VictoriaMetrics, whose forms these are.

const nowMs = Math.floor(Date.now() / 1000) * 1000
const config = 'global: {}\n'
let source: NarthexProcess
let target: NarthexProcess
let victoria: Service

beforeAll(async () => {
  ;[source, target, victoria] = await Promise.all([
    startNarthex('server', { config }),
    startNarthex('server', { config, args: ['--storage.tsdb.native-histogram-custom-buckets'] }),
    startVictoriaMetrics(['-search.latencyOffset=0s']),
  ])
  const ramp = (count: number) => Array.from({ length: count }, (_, k) => [nowMs - (count - k) * 1_000, k * 1.5e-7] as const)
  await writeRequest(source.url, [
    { labels: { __name__: 'x', job: 'a"\\,é\n', i: '1' }, samples: ramp(1_000) },
    {
      labels: { __name__: 'x', i: '2' },
      samples: [
        [nowMs - 3_000, 1e21],
        [nowMs - 2_000, NaN],
        [nowMs - 1_000, Infinity],
        [nowMs, -Infinity],
      ],
    },
    { labels: { __name__: 'y' }, samples: [[nowMs, 7]] },
  ])
}, 60_000)
afterAll(async () => {
  await Promise.all([source?.remove(), target?.remove(), victoria?.stop()])
})

async function exportLines(url: string, parameters: string, path = 'export'): Promise<string[]> {
  const response = await fetch(`${url}/api/v1/${path}?${parameters}`)
  expect(response.status, await response.clone().text()).toBe(200)
  return (await response.text()).split('\n').filter((line) => line !== '')
}

const post = async (url: string, path: string, body: string | Buffer<ArrayBuffer>, headers: Record<string, string> = {}) => {
  const response = await fetch(`${url}/api/v1/${path}`, { method: 'POST', body, headers })
  return { status: response.status, text: await response.text() }
}

describe('lines of JSON', () => {
  test('have labels, values and times of each series', async () => {
    expect(await exportLines(source.url, 'match[]=y&match[]=x{i="2"}&match[]={i="2"}')).toEqual([
      `{"metric":{"__name__":"y"},"values":[7],"timestamps":[${nowMs}]}`,
      `{"metric":{"__name__":"x","i":"2"},"values":[1e+21,null,"Infinity","-Infinity"],"timestamps":[${[3_000, 2_000, 1_000, 0].map((ago) => nowMs - ago).join()}]}`,
    ])
  })

  test('hold as many samples as asked for, of the time asked for', async () => {
    const lines = await exportLines(source.url, `match[]=x{i="1"}&max_rows_per_line=300&start=${nowMs / 1000 - 999}&end=${nowMs / 1000}`)
    expect(lines.map((line) => (JSON.parse(line) as { values: unknown[] }).values.length)).toEqual([300, 300, 300, 99])
  })

  test('that go into another server come out of it again, packed or not', async () => {
    const lines = await exportLines(source.url, 'match[]={__name__!=""}')
    const text = lines.join('\n')
    expect(await post(target.url, 'import', text)).toEqual({ status: 204, text: '' })
    expect(await exportLines(target.url, 'match[]={__name__!=""}')).toEqual(lines)
    // The same again is no change.
    expect((await post(target.url, 'import', gzipSync(text), { 'content-encoding': 'gzip' })).status).toBe(204)
    expect((await post(target.url, 'import', zstdCompressSync(text), { 'content-encoding': 'zstd' })).status).toBe(204)
    expect(await exportLines(target.url, 'match[]={__name__!=""}')).toEqual(lines)
  })

  test('are those of VictoriaMetrics, in and out', async () => {
    const lines = await exportLines(source.url, 'match[]=x{i="1"}')
    expect((await post(victoria.url, 'import', lines.join('\n'))).status).toBe(204)
    await fetch(`${victoria.url}/internal/force_flush`)
    await waitFor('the samples', async () => (await exportLines(victoria.url, 'match[]=x')).length > 0, { timeoutMs: 10_000 })
    const theirs = (await exportLines(victoria.url, 'match[]=x')).map((line) =>
      line.replace('"__name__":"x"', '"__name__":"from_victoria"'),
    )
    expect(await post(target.url, 'import', theirs.join('\n'))).toEqual({ status: 204, text: '' })
    const [count] = await queryVector(target.url, 'sum(count_over_time(from_victoria[1h]))')
    expect(count?.value[1]).toBe('1000')
    // It keeps some 15 digits.
    expect(await queryVector(target.url, 'abs(sum(from_victoria) - sum(x{i="1"})) < 1e-15', nowMs / 1000)).toHaveLength(1)
  })

  test('have native histograms of every kind, which come out as they went in', async () => {
    const line = (name: string, histograms: readonly unknown[]) =>
      JSON.stringify({ metric: { __name__: name }, histograms, timestamps: histograms.map((_, i) => nowMs - 60_000 + i * 1000) })
    const sides = {
      positive_spans: [
        [-1, 2],
        [3, 1],
      ],
      positive_buckets: [1, 2, 1],
      negative_spans: [[0, 1]],
      negative_buckets: [3],
    }
    const integer = { schema: 1, count: 9, sum: 18.4, zero_threshold: 0.001, zero_count: 2, ...sides }
    const { schema, ...rest } = integer
    const custom = { schema: -53, count: 3, sum: 1e21, custom_values: [0.5, 2], positive_spans: [[0, 3]], positive_buckets: [1, 2, 0] }
    const gauge = { schema: 0, float: true, hint: 'gauge', count: 2.5, sum: -1e21, positive_spans: [[0, 1]], positive_buckets: [2.5] }
    const float = { schema: 0, float: true, count: 2.5, sum: 'Infinity', positive_spans: [[0, 1]], positive_buckets: [2.5] }
    const lines = [
      line('h_custom', [custom, custom, 'stale']),
      line('h_float', [float, 'stale', float]),
      line('h_gauge', [gauge, { ...gauge, count: 1, positive_buckets: [1] }]),
      line('h_integer', [integer, integer, { schema, hint: 'reset', ...rest }, 'stale']),
    ]
    expect(await post(target.url, 'import', lines.join('\n'))).toEqual({ status: 204, text: '' })
    expect(await exportLines(target.url, 'match[]={__name__=~"h_.*"}')).toEqual(lines)
    const [few] = await exportLines(target.url, 'match[]=h_float&max_rows_per_line=2')
    expect((JSON.parse(few!) as { histograms: unknown[] }).histograms).toHaveLength(2)
    expect(await exportLines(target.url, 'match[]=h_float&format=__value__', 'export/csv')).toEqual([])
    const refused = await post(target.url, 'import', line('h_bad', [{ ...integer, count: 1 }]))
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('first h_bad at')])
  })

  test('that cannot be read end the import with their number; what came before is kept', async () => {
    const line = (name: string) => `{"metric":{"__name__":"${name}"},"values":[1],"timestamps":[${nowMs}]}`
    const { status, text } = await post(target.url, 'import', `${line('before')}\n\n{"metric":{}}\n${line('after')}`)
    expect([status, text]).toEqual([400, 'line 3: want "values" and "timestamps" to be arrays\n1 samples are imported, 0 refused\n'])
    expect(await queryVector(target.url, 'before', nowMs / 1000)).toHaveLength(1)
    expect(await queryVector(target.url, 'after', nowMs / 1000)).toHaveLength(0)
    expect((await post(target.url, 'import', 'x', { 'content-encoding': 'gzip' })).status).toBe(400)
    expect((await post(target.url, 'import', 'x', { 'content-encoding': 'br' })).status).toBe(415)
  })

  test('with samples that are too old tell which; the others are kept', async () => {
    const old = nowMs - 30 * 24 * 3_600_000
    const { status, text } = await post(target.url, 'import', `{"metric":{"__name__":"z"},"values":[1,2],"timestamps":[${old},${nowMs}]}`)
    expect([status, text]).toEqual([400, `1 × ${text.split('\n')[0]!.slice(4)}\n1 samples are imported, 1 refused\n`])
    expect(text).toContain(`first z at ${old}`)
    expect(await queryVector(target.url, 'z', nowMs / 1000)).toHaveLength(1)
  })
})

describe('lines of CSV', () => {
  test('have the columns that the format names', async () => {
    const ask = (format: string) => exportLines(source.url, `match[]=x{i="2"}&format=${format}`, 'export/csv')
    expect(await ask('__name__,i,nothing,__value__,__timestamp__:unix_s')).toEqual([
      `x,2,,1e+21,${nowMs / 1000 - 3}`,
      `x,2,,NaN,${nowMs / 1000 - 2}`,
      `x,2,,+Inf,${nowMs / 1000 - 1}`,
      `x,2,,-Inf,${nowMs / 1000}`,
    ])
    expect((await ask('__timestamp__:rfc3339,__value__'))[3]).toBe(`${new Date(nowMs).toISOString()},-Inf`)
  })

  test('go in with the format of VictoriaMetrics, labels in quotes included', async () => {
    const rows = `${nowMs},"Par""is, 1",21.5,\n${nowMs},Rome,30,0.4\n`
    const format = '1:time:unix_ms,2:label:city,3:metric:temperature,4:metric:humidity'
    expect(await post(target.url, `import/csv?format=${format}`, rows)).toEqual({ status: 204, text: '' })
    expect(await exportLines(target.url, 'match[]=temperature&match[]=humidity')).toEqual([
      `{"metric":{"__name__":"temperature","city":"Par\\"is, 1"},"values":[21.5],"timestamps":[${nowMs}]}`,
      `{"metric":{"__name__":"temperature","city":"Rome"},"values":[30],"timestamps":[${nowMs}]}`,
      `{"metric":{"__name__":"humidity","city":"Rome"},"values":[0.4],"timestamps":[${nowMs}]}`,
    ])
    expect((await post(target.url, 'import/csv?format=1:time:unix_ms', rows)).text).toBe(
      'want a column with the values of a metric, as in 2:metric:temperature\n',
    )
    expect((await post(target.url, `import/csv?format=${format}`, 'x,a,1,1')).text).toBe(
      'line 1: want a time in unix_ms, got "x"\n0 samples are imported, 0 refused\n',
    )
  })
})

describe('an export that makes no sense', () => {
  test.each([
    ['export', '', 'no match[] parameter provided'],
    ['export', 'match[]={}', 'must contain at least one non-empty matcher'],
    ['export', 'match[]=x&start=2&end=1', 'end timestamp must not be before start time'],
    ['export', 'match[]=x&max_rows_per_line=0', 'want 1 to 1000000'],
    ['export/csv', 'match[]=x', 'no format parameter provided'],
    ['export/csv', 'match[]=x&format=__timestamp__:days', 'unknown unit "days"'],
  ])('%s?%s says what is wrong', async (path, parameters, text) => {
    const response = await fetch(`${source.url}/api/v1/${path}?${parameters}`)
    expect([response.status, ((await response.json()) as { error: string }).error]).toEqual([400, expect.stringContaining(text)])
  })
})
