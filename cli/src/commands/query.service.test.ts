import { spawn } from 'node:child_process'
import { launcher, startNarthex, type NarthexProcess } from '@narthex/test/kit/narthex'
import { findProgram } from '@narthex/test/kit/packages'
import { writeRequest } from '@narthex/test/kit/remote-write'
import { startPrometheus, type Service } from '@narthex/test/kit/services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

// `narthex query` and `promtool query`, each asking Debian's Prometheus and a server of ours: the same lines from all four.

const now = Math.floor(Date.now() / 1000)
let ours: NarthexProcess
let theirs: Service

beforeAll(async () => {
  ;[ours, theirs] = await Promise.all([startNarthex('server', { config: 'global: {}\n' }), startPrometheus({ config: 'global: {}\n' })])
  const ramp = (factor: number) => Array.from({ length: 5 }, (_, k) => [now * 1000 - (5 - k) * 5000 - 1, k * factor] as const)
  const series = [1, 2].map((i) => ({ labels: { __name__: 'x', job: 'a"\\<', i: String(i) }, samples: ramp(i * 1.5e-7) }))
  for (const { url } of [ours, theirs]) {
    await writeRequest(url, [...series, { labels: { __name__: 'y' }, samples: [[now * 1000 - 1, 1e21] as const] }])
  }
}, 60_000)
afterAll(async () => {
  await Promise.all([ours?.remove(), theirs?.stop()])
})

function run(program: string, args: readonly string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, ['query', ...args])
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

const at = `--time=${now}`
const range = [`--start=${now - 20}`, `--end=${now}`]
const cases: readonly (readonly [kind: string, flags: readonly string[], rest: readonly string[]])[] = [
  ['instant', [at], ['x']],
  ['instant', [at], ['sum(x)']],
  ['instant', [at], ['x[1m]']],
  ['instant', [at], ['1e-7']],
  ['instant', [at], ['y']],
  ['instant', [at], ['nope']],
  ['instant', [at], ['x(']],
  ['instant', ['--time=abc'], ['x']],
  ['instant', ['--time=2026-01-01T00:00:00Z'], ['1']],
  ['range', [...range, '--step=10s'], ['x']],
  ['range', range, ['nope']],
  ['range', ['--start=5', '--end=5'], ['x']],
  ['range', ['--start=x'], ['x']],
  ['range', [...range, '--step=10s', '--header=A=b'], ['sum(x)']],
  ['series', ['--match=x', '--match=y'], []],
  ['series', ['--match=nope'], []],
  ['series', ['--match=x', '--start=1', '--end=2'], []],
  ['labels', [], ['__name__']],
  ['labels', [], ['nope']],
  ['labels', ['--match=x'], ['job']],
  ['labels', ['--end=x'], ['job']],
]

describe('a query prints what promtool prints', () => {
  test.each(cases)('%s %j %j', async (kind, flags, rest) => {
    const promtool = findProgram('promtool')!
    for (const format of ['promql', 'json']) {
      const wanted = await run(promtool, [`--format=${format}`, kind, ...flags, theirs.url, ...rest])
      expect(await run(launcher, [kind, `--format=${format}`, ...flags, theirs.url, ...rest])).toEqual(wanted)
      expect(await run(launcher, [kind, `--format=${format}`, ...flags, ours.url, ...rest])).toEqual(wanted)
      expect(await run(promtool, [`--format=${format}`, kind, ...flags, ours.url, ...rest])).toEqual(wanted)
    }
  })

  test('a server that is not there', async () => {
    const args = ['instant', 'http://127.0.0.1:1', 'x']
    expect(await run(launcher, args)).toEqual(await run(findProgram('promtool')!, args))
  })

  test('promtool debug metrics works', async () => {
    const child = await new Promise<string>((resolve) => {
      const debug = spawn(findProgram('promtool')!, ['debug', 'metrics', ours.url], { cwd: ours.directory })
      let text = ''
      for (const stream of [debug.stdout, debug.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
      debug.on('close', (code) => resolve(`${code} ${text}`))
    })
    expect(child).toMatch(/^0 collecting: .*\/metrics/)
  })
})

describe('a query that is explained', () => {
  const explain = async (url: string, ...args: string[]) => run(launcher, [args[0]!, ...args.slice(2), url, args[1]!])

  test('shows its plan as a tree, and nothing else', async () => {
    expect(await explain(ours.url, 'instant', 'sum by (job) (rate(x{job!="",job=~".+"}[1m]))', '--explain')).toEqual({
      code: 0,
      err: '',
      out: [
        'aggregation sum by (job)',
        '  function rate()',
        '    range selector x{job!="",job=~".+"}[1m]',
        '      · matchers merged: x{job=~".+"}',
        '      · labels only job, __name__, __type__, __unit__',
        '',
      ].join('\n'),
    })
  })

  test('shows what each part took', async () => {
    const { out } = await explain(ours.url, 'range', 'sum(x)', ...range, '--step=10s', '--explain=analyze')
    expect(out.split('\n')[0]).toMatch(/^aggregation sum — [\d.]+ ms \(own [\d.]+ ms\), 3 steps, 1 series, \d samples, \d+ bytes$/)
    expect(out.split('\n')[1]).toMatch(/^ {2}selector x — .*, 2 series, \d samples, \d+ samples read, \d+ bytes$/)
  })

  test('shows the same as JSON, beside its result in the API', async () => {
    const { out } = await explain(ours.url, 'instant', 'x', at, '--explain', '--format=json')
    expect(JSON.parse(out)).toEqual({ operator: 'selector', detail: 'x', rewrites: [], children: [] })
    const ask = async (parameters: string): Promise<unknown> =>
      await (await fetch(`${ours.url}/api/v1/query?query=x&time=${now}${parameters}`)).json()
    const plain = (await ask('')) as { data: object }
    expect(await ask('&explain=plan')).toEqual({ status: 'success', data: { explain: JSON.parse(out) as unknown } })
    expect(await ask('&explain=analyze')).toEqual({
      status: 'success',
      data: {
        ...plain.data,
        explain: { ...(JSON.parse(out) as object), measures: expect.objectContaining({ steps: 1, series: 2, samples: 2 }) as unknown },
      },
    })
  })

  test('is told in one line where that is unknown', async () => {
    const { code, err } = await explain(theirs.url, 'instant', 'x', '--explain')
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/^[^\n]*the server answers --explain with the result alone: it cannot explain queries\n$/),
    ])
  })
})
