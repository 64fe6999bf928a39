import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { launcher } from '@narthex/test/kit/narthex'
import { findProgram } from '@narthex/test/kit/packages'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

// Command lines of promtool, good and bad, given to both: the same exit code and the same lines, but for the name of the program.

const directory = makeTemporaryDirectory('narthex-command-lines-')
afterAll(() => directory.remove())

const files: Readonly<Record<string, string>> = {
  'good.yml': 'scrape_configs: [{job_name: a, static_configs: [{targets: ["a:1"]}]}]\n',
  'with-duplicates.yml': 'rule_files: [duplicates.yml]\n',
  'bad-pattern.yml': "rule_files: ['[a']\n",
  'rule-directory.yml': 'rule_files: [directory]\n',
  'rules.yml': 'groups: [{name: a, rules: [{record: r, expr: up}, {alert: A, expr: up == 0}]}]\n',
  'duplicates.yml': 'groups: [{name: a, rules: [{record: r, expr: up}, {record: r, expr: up}]}]\n',
  'web.yml': 'http_server_config: {http2: true}\n',
  'empty.yml': '',
}

beforeAll(() => {
  mkdirSync(join(directory.path, 'directory'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory.path, name), text)
})

function run(program: string, words: readonly string[], input: string) {
  const { status, stdout, stderr } = spawnSync(program, words, { cwd: directory.path, encoding: 'utf8', input })
  return {
    status,
    // Version 3 prints no empty line behind a file that cannot be used, and does not indent its problems.
    out: stdout.split('\n').filter((line) => line !== ''),
    err: stderr
      .replace(/^(?:promtool|narthex [a-z -]+): error: (?:invalid value for flag --[a-z.-]+: )?/, 'error: ')
      .replace(/^ {5}/gm, ''),
  }
}

const server = 'http://127.0.0.1:1'

describe('a command line has the answer that it has from promtool', () => {
  test.each([
    'check config good.yml',
    'check config good.yml empty.yml',
    'check config nothing.yml',
    'check config directory',
    'check config good.yml directory',
    'check config bad-pattern.yml',
    'check config rule-directory.yml',
    'check config --syntax-only bad-pattern.yml',
    'check config',
    'check config --foo good.yml',
    'check config --lint',
    'check config --lint-fatal with-duplicates.yml',
    'check config --no-lint-fatal with-duplicates.yml',
    'check config --lint none --lint-fatal with-duplicates.yml',
    'check config --extended good.yml',
    'check config -- good.yml',
    'check --extended config good.yml',
    '--enable-feature=no-default-scrape-port check config good.yml',
    'check --enable-feature no-default-scrape-port config good.yml',
    'check rules rules.yml',
    'check rules directory',
    'check rules nothing.yml rules.yml',
    'check rules duplicates.yml rules.yml',
    'check rules --lint-fatal duplicates.yml',
    'check rules --lint-fatal --lint=none duplicates.yml',
    'check rules --agent rules.yml',
    'check web-config web.yml empty.yml',
    'check web-config directory',
    'check web-config --enable-feature=no-default-scrape-port web.yml',
    'check web-config',
    'check metrics --foo',
    'check service-discovery good.yml',
    'check service-discovery nothing.yml a',
    'check service-discovery directory a',
    'check service-discovery good.yml b',
    'test rules',
    'test rules nothing.yml',
    'test rules directory',
    'query instant',
    `query instant ${server}`,
    `query instant ${server} up down`,
    `query -o json instant ${server} up`,
    `query -ojson instant ${server} up`,
    `query instant -ojson ${server} up`,
    `query --format=csv instant ${server} up`,
    `query instant -o csv ${server} up`,
    `query instant --time=2026-01-05 ${server} up`,
    `query range --start=2026-02-30T00:00:00Z ${server} up`,
    `query range --start=10 --end=5 ${server} up`,
    `query series ${server}`,
    `query labels --end=tomorrow ${server} job`,
    'tsdb list -rr',
    'tsdb list nothing',
    'tsdb dump nothing',
    'tsdb create-blocks-from -rq openmetrics',
  ])('%s', (line) => {
    const words = line.split(' ')
    expect(run(launcher, words, '')).toEqual(run(findProgram('promtool')!, words, ''))
  })

  test.each(['a 1', 'a 1\nb 2', '# HELP a b', 'a 1\n# c', 'a 1\n \t', '# TYPE a gauge\n# HELP a b\na 1\n', ''])(
    'check metrics of %j',
    (text) => {
      expect(run(launcher, ['check', 'metrics'], text)).toEqual(run(findProgram('promtool')!, ['check', 'metrics'], text))
    },
  )
})

test('a feature that there is not is told, and changes nothing else', () => {
  const { status, out, err } = run(
    launcher,
    ['check', 'rules', '--enable-feature=promql-typo,promql-experimental-functions', 'rules.yml'],
    '',
  )
  expect([status, out, err]).toEqual([
    0,
    ['Checking rules.yml', '  SUCCESS: 2 rules found'],
    '  WARNING: Unknown option for --enable-feature: "promql-typo"\n',
  ])
})
