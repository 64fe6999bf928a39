import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { launcher, startNarthex, type NarthexProcess } from '@narthex/test/kit/narthex'
import { writeRequest } from '@narthex/test/kit/remote-write'
import { startPrometheus, type Service } from '@narthex/test/kit/services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const nowMs = Math.floor(Date.now() / 60_000) * 60_000
let ours: NarthexProcess
let theirs: Service

beforeAll(async () => {
  const config = 'global: {}\n'
  ;[ours, theirs] = await Promise.all([startNarthex('server', { config }), startPrometheus({ config })])
  const samples = Array.from({ length: 40 }, (_, k) => [nowMs - (40 - k) * 15_000 - 1, k * k] as const)
  await writeRequest(theirs.url, [{ labels: { __name__: 'x_total', job: 'a' }, samples }])
  await writeRequest(ours.url, [{ labels: { __name__: 'x_total', job: 'a' }, samples }])
  // Something to find.
  await writeRequest(ours.url, [{ labels: { __name__: 'only_here' }, samples: [[nowMs - 1, 1] as const] }])
  const rules =
    'groups: [{name: g, rules: [{record: a, expr: "rate(x_total[2m])"}, {record: b, expr: nothing}, {record: c, expr: only_here}]}]\n'
  writeFileSync(join(ours.directory, 'rules.yml'), rules)
}, 60_000)
afterAll(async () => {
  await Promise.all([ours?.remove(), theirs?.stop()])
})

const compare = (...args: readonly string[]) => {
  const time = [`--end=${nowMs / 1000}`, '--range=10m', '--step=15s']
  return spawnSync(launcher, ['compare', ours.url, `--with=${theirs.url}`, ...time, ...args], { cwd: ours.directory, encoding: 'utf8' })
}

describe('compare', () => {
  test('finds answers of two servers with the same samples the same', () => {
    const { status, stdout, stderr } = compare(
      '--query=sum(x_total)',
      '--query=nothing',
      '--query=x_total offset 1m',
      '--query=sum(x_total)',
      '--query=x[',
    )
    expect([status, stdout, stderr]).toEqual([0, '4 queries: 2 same, 1 empty on both, 1 refused by both, 0 different\n', ''])
  })

  test('names the query, the series and the value that differ, and ends with 1', () => {
    const { status, stdout } = compare('--rules=rules.yml')
    expect(status).toBe(1)
    expect(stdout).toBe(
      'rules.yml:1\n  only_here\n  only_here: want no such series, got 1 value\n\n3 queries: 1 same, 1 empty on both, 0 refused by both, 1 different\n',
    )
  })

  test('says what it cannot read or reach in one line', () => {
    expect(compare().stderr).toBe('narthex compare: no queries: want --query, --query-log, --rules or --dashboards\n')
    expect(compare('--rules=nothing.yml').stderr).toMatch(/^narthex compare: cannot read nothing.yml: ENOENT.*\n$/)
    const { stderr } = spawnSync(launcher, ['compare', 'http://127.0.0.1:1', `--with=${theirs.url}`, '--query=up'], { encoding: 'utf8' })
    expect(stderr).toMatch(/^narthex compare: .*connection refused\n$/)
  })
})
