import { describe, expect, it } from 'vitest'
import { ConfigError } from './config-error.ts'
import { parseRuleFile } from './rule-file.ts'

function report(text: string): string[] {
  try {
    parseRuleFile(text, 'r.yml', {
      parseExpression: (expr) => {
        if (expr.endsWith('(')) throw new Error('1:4: parse error: unclosed left parenthesis')
      },
    })
  } catch (error) {
    if (error instanceof ConfigError) return error.report.split('\n')
    throw error
  }
  return []
}

describe('a rule file', () => {
  it('gives groups with rules of both kinds', () => {
    const text =
      'groups:\n- name: g\n  interval: 30s\n  limit: 5\n  query_offset: 1m\n  labels: {team: x}\n  rules:\n  - record: a:b\n    expr: up\n  - alert: Down\n    expr: up == 0\n    for: 5m\n    labels: {severity: page}\n    annotations: {summary: s}\n'
    const [group] = parseRuleFile(text, 'r.yml')
    expect(group).toMatchObject({ file: 'r.yml', name: 'g', intervalMs: 30_000, limit: 5, queryOffsetMs: 60_000, labels: { team: 'x' } })
    expect(group!.rules).toMatchObject([
      { kind: 'recording', record: 'a:b', expr: 'up', line: 8 },
      { kind: 'alerting', alert: 'Down', forMs: 300_000, keepFiringForMs: 0, labels: { severity: 'page' }, line: 10 },
    ])
  })

  it('is empty when the file is', () => {
    expect(parseRuleFile('', 'r.yml')).toEqual([])
  })

  it('reports every problem with its place, in promtool`s words', () => {
    const text =
      'groups:\n- name: a\n  rules:\n  - record: x\n    alert: y\n    expr: up\n  - record: x\n  - alert: z\n    expr: up(\n  - record: q\n    expr: up\n    for: 1m\n- name: a\n- name: ""\n'
    expect(report(text)).toEqual([
      `r.yml:5:12: group "a", rule 1, "y": only one of 'record' and 'alert' must be set`,
      `r.yml:7:13: group "a", rule 2, "x": field 'expr' must be set in rule`,
      'r.yml:9:11: group "a", rule 3, "z": could not parse expression: 1:4: parse error: unclosed left parenthesis',
      `r.yml:12:5: group "a", rule 4, "q": invalid field 'for' in recording rule`,
      'r.yml:13:3: groupname: "a" is repeated in the same file',
      'r.yml:14:3: Groupname must not be empty',
    ])
  })

  it('words keys set twice as Go`s yaml/v3 does', () => {
    expect(report('groups:\n- name: a\n  name: b\n')).toEqual(['r.yml:3:3: mapping key "name" already defined at line 2'])
  })
})
