import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { afterAll, describe, expect, it } from 'vitest'
import { readDashboards, readQueryLog, readRules } from './query-sources.ts'

const temporary = makeTemporaryDirectory()
afterAll(() => temporary.remove())
const write = (name: string, content: unknown) => {
  const path = join(temporary.path, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

describe('queries to compare', () => {
  it('come from a query log with their times, lines of anything else passed over', () => {
    const params = { query: 'up', start: '2026-01-05T00:00:00.000Z', end: '2026-01-05T01:00:00.500Z', step: 15 }
    const path = write('queries.log', [JSON.stringify({ params, ts: 'x' }), 'no JSON', '{}', '{"params":{"query":"up"}}', ''].join('\n'))
    expect(readQueryLog(path)).toEqual([{ query: 'up', source: `${path}:1`, times: { start: 1767571200, end: 1767574800.5, step: 15 } }])
  })

  it('come from the expressions of a rule file', () => {
    const path = write('rules.yml', 'groups:\n- name: g\n  rules:\n  - {record: a, expr: sum(up)}\n  - {alert: B, expr: up == 0}\n')
    expect(readRules(path)).toEqual([
      { query: 'sum(up)', source: `${path}:4` },
      { query: 'up == 0', source: `${path}:5` },
    ])
  })

  it('come from dashboards below a directory, with values for their variables', () => {
    mkdirSync(join(temporary.path, 'dashboards', 'more'), { recursive: true })
    const list = [
      { name: 'job', current: { value: 'api' } },
      { name: 'instance', current: { value: '$__all' } },
      { name: 'node', current: { value: ['a', 'b'] }, allValue: '.+' },
      { name: 'zone', allValue: '[^x]+' },
    ]
    const expr =
      'rate(x{job="$job",i=~"${instance:regex}",n=~"[[node]]",z=~"$zone",u=~"$unknown"}[$__rate_interval]) + label_replace(x, "a", "$1", "b", "c")'
    const panels = [{ title: 'Row', panels: [{ title: 'Graph', targets: [{ expr }, { expr: ' ' }, { rawSql: 'select' }] }] }]
    const path = write('dashboards/more/one.json', { dashboard: { title: 'D', templating: { list }, panels } })
    write('dashboards/readme.txt', 'no dashboard')
    expect(readDashboards(join(temporary.path, 'dashboards'))).toEqual([
      {
        query: 'rate(x{job="api",i=~".*",n=~"(a|b)",z=~"[^x]+",u=~".*"}[5m]) + label_replace(x, "a", "$1", "b", "c")',
        source: `${path}: Graph`,
      },
    ])
  })
})
