import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { createRuleChecks } from '@narthex/server/rule-checks'
import { afterAll, expect, it } from 'vitest'
import { checkRuleFiles, exitCodeOf, readRuleLints } from './check-rules.ts'

// What promtool 3 was seen to say of the same files.

const directory = makeTemporaryDirectory()
afterAll(() => directory.remove())

function check(files: Readonly<Record<string, string>>, ignoresUnknownKeys = false) {
  const paths = Object.entries(files).map(([name, text]) => {
    const path = join(directory.path, name)
    writeFileSync(path, text)
    return path
  })
  const [out, err]: [string[], string[]] = [[], []]
  const output = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) }
  const verdict = checkRuleFiles(paths, { checks: { ...createRuleChecks([]), ignoresUnknownKeys }, lintsDuplicates: true }, output)
  const shown = (lines: readonly string[]) => lines.map((line) => line.replaceAll(`${directory.path}/`, ''))
  return { out: shown(out), err: shown(err), verdict }
}

const rule = '  rules:\n  - record: x\n    expr: up\n'
const extended = `owner: me\ngroups:\n- name: a\n  team: x\n${rule}    extra: {a: [1]}\n`
const doubled = `groups:\n- name: a\n${rule}  - record: x\n    expr: up\n`

it('refuses keys that rule files do not have, and passes over them if asked to', () => {
  expect(check({ 'r.yml': extended }).err).toEqual([
    '  FAILED:',
    'r.yml: yaml: unmarshal errors:\n  line 1: field owner not found in type rulefmt.RuleGroups\n  line 4: field team not found in type rulefmt.RuleGroup\n  line 8: field extra not found in type rulefmt.Rule',
  ])
  expect(check({ 'r.yml': extended }, true)).toMatchObject({ err: [], out: ['Checking r.yml', '  SUCCESS: 1 rules found', ''] })
})

it('still refuses an unknown key that is there twice, and the mistakes beside it', () => {
  const twice = `groups:\n- name: a\n  foo: 1\n  foo: 2\n${rule}`
  expect(check({ 'r.yml': twice }, true).err[1]).toContain('line 4: mapping key "foo" already defined at line 3')
  expect(check({ 'r.yml': `${extended}    for: abc\n` }, true).err[1]).toContain('not a valid duration string: "abc"')
})

it('puts an empty line behind files that can be used only', () => {
  const { out, err, verdict } = check({ 'a.yml': 'groups: 3\n', 'b.yml': doubled, 'c.yml': `groups:\n- name: a\n${rule}` })
  expect(out).toEqual(['Checking a.yml', 'Checking b.yml', '', 'Checking c.yml', '  SUCCESS: 1 rules found', ''])
  expect(err[3]).toBe('lint error 1 duplicate rule(s) found.\nMetric: x\nLabel(s):\nMight cause inconsistency while recording expressions')
  expect(exitCodeOf(verdict, false)).toBe(1)
})

it('ends with 3 for duplicates alone if they are fatal', () => {
  const { verdict } = check({ 'b.yml': doubled })
  expect([exitCodeOf(verdict, false), exitCodeOf(verdict, true)]).toEqual([0, 3])
})

it.each<[string, boolean, readonly string[]]>([
  ['all', true, []],
  ['', false, []],
  ['none', false, []],
  ['none,duplicate-rules', true, []],
  ['too-long-scrape-interval', false, ['WARNING: unknown lint option: "too-long-scrape-interval"']],
])('reads --lint=%s', (text, wanted, warnings) => {
  const told: string[] = []
  expect(readRuleLints(text, { out: (line) => void told.push(line), err: () => {} })).toBe(wanted)
  expect(told).toEqual(warnings)
})
