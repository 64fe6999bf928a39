import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '@narthex/service/user-error'
import { launcher, startNarthex, type NarthexProcess } from '@narthex/test/kit/narthex'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { writeRequest } from '@narthex/test/kit/remote-write'
import { startPrometheus, type Service } from '@narthex/test/kit/services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runTsdb } from './tsdb.ts'

// Beside Debian's promtool, both of them asking the same server.

const temporary = makeTemporaryDirectory()
const endSeconds = Math.floor(Date.now() / 1000) - 60
const startSeconds = endSeconds - 1500
let prometheus: Service
let ours: NarthexProcess

const rules = `
groups:
  - name: fast
    interval: 1s
    rules:
      - {record: 'i:m:sum', expr: 'sum by (i) (m)', labels: {added: 'é'}}
      - {record: 'm:one', expr: 'm{i="1"}', labels: {i: ''}}
      - {record: 'm:copy', expr: 'm * 2'}
      - {record: 'm:odd', expr: 'm / 0 or m{i="0"} - Inf'}
  - name: other
    interval: 1s
    rules:
      - {record: 'none', expr: 'nothing_there'}
      - {record: 'm:max', expr: 'max(m)'}
`

beforeAll(async () => {
  ;[prometheus, ours] = await Promise.all([startPrometheus({ config: 'global: {}' }), startNarthex('server', { config: 'global: {}' })])
  const series = Array.from({ length: 3 }, (_, i) => {
    const samples = Array.from({ length: 150 }, (_value, k) => [(startSeconds + k * 10) * 1000, i * Math.floor(k / 5)] as const)
    return { labels: { __name__: 'm', i: String(i) }, samples }
  })
  for (const { url } of [prometheus, ours]) await writeRequest(url, series)
  writeFileSync(join(temporary.path, 'rules.yml'), rules)
}, 60_000)
afterAll(async () => {
  await Promise.all([prometheus?.stop(), ours?.remove()])
  temporary.remove()
})

const times = [`--start=${startSeconds}`, `--end=${endSeconds}`]
const path = (name: string) => join(temporary.path, name)

/**
 * Lines of promtool's dump, sorted, with times in whole seconds: 2.42 has other phases of groups, here of a part of a second. The last second of a
 * block is left out: promtool does.
 */
function dump(directory: string): string[] {
  mkdirSync(join(directory, 'wal'), { recursive: true })
  const { stdout, stderr, status } = spawnSync('promtool', ['tsdb', 'dump', directory], { encoding: 'utf8', maxBuffer: 2 ** 28 })
  expect([status, stderr]).toEqual([0, ''])
  const lines = stdout.split('\n').slice(0, -1)
  const cut = lines.map((line) => line.replace(/\d{3}$/, ''))
  return cut.filter((line) => Number(/\d+$/.exec(line)![0]) % 7200 !== 7199).sort()
}

describe('create-blocks-from rules', () => {
  test('makes the samples that promtool makes, in one block for each range', async () => {
    const args = [...times, `--url=${prometheus.url}`, path('rules.yml')]
    const theirs = spawnSync('promtool', ['tsdb', 'create-blocks-from', 'rules', `--output-dir=${path('theirs')}`, ...args], {
      encoding: 'utf8',
    })
    expect(theirs.status).toBe(0)
    await runTsdb(['create-blocks-from', 'rules', '--quiet', `--output-dir=${path('ours')}`, ...args])
    const made = dump(path('ours'))
    expect(made.length).toBeGreaterThan(1000)
    expect(made).toEqual(dump(path('theirs')))
    const ranges = Math.floor(endSeconds / 7200) - Math.floor(startSeconds / 7200) + 1
    expect(readdirSync(path('ours')).filter((name) => name.length === 26)).toHaveLength(ranges)
  })

  test('asks our server as well', async () => {
    await runTsdb(['create-blocks-from', '-q', 'rules', `--output-dir=${path('own')}`, ...times, `--url=${ours.url}/`, path('rules.yml')])
    expect(dump(path('own'))).toEqual(dump(path('ours')))
  })

  test('makes native histograms of what a server answers', async () => {
    const spans = { positive_spans: [[0, 2]], negative_spans: [[3, 1]] }
    const histograms = Array.from({ length: 100 }, (_, k) => {
      return {
        schema: 3,
        count: 7 * k,
        sum: k,
        zero_threshold: 0.001,
        zero_count: k,
        ...spans,
        positive_buckets: [2 * k, 3 * k],
        negative_buckets: [k],
      }
    })
    const line = JSON.stringify({
      metric: { __name__: 'h' },
      histograms,
      timestamps: histograms.map((_, k) => (startSeconds + k * 10) * 1000),
    })
    expect((await fetch(`${ours.url}/api/v1/import`, { method: 'POST', body: line })).status).toBe(204)
    writeFileSync(
      path('histograms.yml'),
      `groups: [{name: a, interval: 10s, rules: [{record: 'h:copy', expr: 'h'}, {record: 'h:rate', expr: 'rate(h[1m])'}]}]`,
    )
    const end = startSeconds + 990
    await runTsdb([
      'create-blocks-from',
      'rules',
      '-q',
      `--output-dir=${path('histograms')}`,
      `--start=${startSeconds}`,
      `--end=${end}`,
      `--url=${ours.url}`,
      path('histograms.yml'),
    ])
    const { stdout } = spawnSync(launcher, ['tsdb', 'dump', path('histograms')], { encoding: 'utf8', maxBuffer: 2 ** 28 })
    const lines = stdout.split('\n').filter((text) => text.includes('"h:copy"'))
    expect(lines.length).toBeGreaterThanOrEqual(98)
    for (const text of lines) {
      const timeMs = Number(/\d+$/.exec(text)![0])
      const k = Math.floor((timeMs / 1000 - startSeconds) / 10)
      if (k > 0)
        expect(text).toContain(
          `{count:${7 * k}, sum:${k}, [-1.2968395546510096,-1.189207115002721):${k}, [-0.001,0.001]:${k}, (0.9170040432046711,1]:${2 * k}, (1,1.0905077326652577]:${3 * k}}`,
        )
    }
    expect(
      stdout.split('\n').filter((text) => text.includes('"h:rate"') && text.includes('(1,1.0905077326652577]:0.3')).length,
    ).toBeGreaterThan(90)
  })

  test('ends with promtool’s words when a rule cannot be evaluated, with the blocks of the others', async () => {
    writeFileSync(path('wrong.yml'), `groups: [{name: a, rules: [{record: 'good', expr: 'm'}, {record: 'bad', expr: 'm * on() m'}]}]`)
    const args = [
      'create-blocks-from',
      'rules',
      '-q',
      `--output-dir=${path('part')}`,
      `--url=${prometheus.url}`,
      ...times,
      path('wrong.yml'),
    ]
    await expect(runTsdb(args)).rejects.toThrow('error importing rules')
    expect(dump(path('part')).every((line) => line.includes('__name__="good"'))).toBe(true)
    const nobody = [
      'create-blocks-from',
      'rules',
      '-q',
      `--output-dir=${path('none')}`,
      '--url=http://127.0.0.1:1',
      ...times,
      path('rules.yml'),
    ]
    await expect(runTsdb(nobody)).rejects.toThrow('error importing rules')
    expect(readdirSync(temporary.path)).not.toContain('none')
  })

  const now = Math.floor(Date.now() / 1000)
  test.each([
    [['rules.yml'], 'narthex tsdb create-blocks-from rules: error: required flag --start not provided, try --help'],
    [['--start=x', 'rules.yml'], 'error parsing start time: cannot parse "x" to a valid timestamp'],
    [['--start=1', '--end=2024-02-30', 'rules.yml'], 'error parsing end time: cannot parse "2024-02-30" to a valid timestamp'],
    [['--start=5', '--end=5', 'rules.yml'], 'start time is not before end time'],
    [[`--start=${now - 3 * 3600 + 60}`, 'rules.yml'], 'start time is not before end time'],
    [['--start=1', '--end=2', '--url=:', 'rules.yml'], 'new api client error: cannot parse ":" as a URL'],
    [['--start=1', '--end=2', '--eval-interval=0s', 'rules.yml'], /want an --eval-interval above 0/],
    [['--start=1', '--end=2', 'missing.yml'], /path '.*missing.yml' does not exist, try --help/],
    [
      ['--start=1', '--end=2', 'bad.yml'],
      /^rule importer parse error: .*bad.yml: 1:\d+: group "a", rule 1, "ok": could not parse expression: .*unclosed left parenthesis$/,
    ],
  ])('%j ends with one line', async (args, text) => {
    writeFileSync(path('bad.yml'), 'groups: [{name: a, rules: [{record: "ok", expr: "nothing("}]}]\n')
    const named = args.map((arg) => (arg.endsWith('.yml') ? path(arg) : arg))
    const error = await runTsdb(['create-blocks-from', 'rules', '-q', ...named]).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(UserError)
    if (typeof text === 'string') expect((error as UserError).message).toBe(text)
    else expect((error as UserError).message).toMatch(text)
  })
})
