import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRuleChecks } from '@narthex/server/rule-checks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { findConformance } from '@narthex/test/kit/shared'
import { checkConfigFiles } from './check-config.ts'

// Beside promtool: the same files, the same verdicts, texts and exit codes.

const folder = join(findConformance('config') ?? '', 'prometheus')

interface Verdict {
  readonly exitCode: number | null
  readonly out: readonly string[]
  readonly err: readonly string[]
}

function askPromtool(args: readonly string[], path: string): Verdict {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', ...args, path], { encoding: 'utf8' })
  // Version 3 has another name for the type, and does not indent problems of rule files.
  return { exitCode: status, out: lines(stdout), err: lines(stderr.replaceAll('rulefmt.RuleNode', 'rulefmt.Rule').replace(/^ {5}/gm, '')) }
}

function askOurs(args: readonly string[], path: string): Verdict {
  let stdout = ''
  let stderr = ''
  const exitCode = checkConfigFiles(
    [path],
    {
      mode: args.includes('--agent') ? 'agent' : 'server',
      isSyntaxOnly: args.includes('--syntax-only'),
      isLintFatal: args.includes('--lint-fatal'),
      longIntervalMs: Infinity,
      rules: { checks: createRuleChecks([]), lintsDuplicates: !args.includes('--lint=none') },
    },
    { out: (line) => (stdout += `${line}\n`), err: (line) => (stderr += `${line}\n`) },
  )
  return { exitCode, out: lines(stdout), err: lines(stderr) }
}

// Ours has lines more: where a problem is, and what has no effect yet.
function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !/^ {4}at \S+:\d+:\d+$/.test(line) && !/^ {2}WARNING: (?!file )/.test(line))
}

const isOfUnknownKey = ({ err }: Verdict): boolean => err.some((line) => line.includes('not found in type'))

/** What version 2.42 let pass or worded otherwise. */
const changedInVersion3: ReadonlySet<string> = new Set([
  'azure_bearertoken_basicauth.bad.yml',
  'hetzner_role.bad.yml',
  'http_token_file.bad.yml',
  'labelmap.bad.yml',
  'regex.bad.yml',
  'remote_write_queue_max_backoff_less_than_min.bad.yml',
  'remote_write_queue_max_samples_per_send_zero.bad.yml',
  'remote_write_queue_min_shards_zero.bad.yml',
  'uyuni_token_file.bad.yml',
])

describe('narthex check config beside promtool', () => {
  const directory = makeTemporaryDirectory()
  afterAll(() => directory.remove())
  const write = (name: string, text: string): string => {
    const path = join(directory.path, name)
    writeFileSync(path, text)
    return path
  }
  const compare = (path: string, ...args: string[]): void => expect(askOurs(args, path), path).toEqual(askPromtool(args, path))

  describe.skipIf(findConformance('config') === undefined)('on the conformance folder', () => {
    beforeAll(() => cpSync(folder, directory.path, { recursive: true }))

    it('gives the verdict and text of version 2.42, wherever that knows the keys', () => {
      let compared = 0
      for (const name of readdirSync(folder).filter((file) => file.endsWith('.yml'))) {
        const path = join(directory.path, name)
        const theirs = askPromtool(['--syntax-only'], path)
        const ours = askOurs(['--syntax-only'], path)
        if (changedInVersion3.has(name) || (isOfUnknownKey(theirs) && !isOfUnknownKey(ours))) continue
        expect(ours, name).toEqual(theirs)
        compared++
      }
      expect(compared).toBeGreaterThanOrEqual(50)
    })
  })

  it('checks the files that a job names', () => {
    write('certificate.pem', '')
    write('list.yml', '- targets: [a:1, b:2]\n')
    const job = (text: string) => write('files.yml', `scrape_configs:\n- job_name: a\n${text}`)
    compare(job('  bearer_token_file: token\n'))
    compare(job('  tls_config: {cert_file: certificate.pem, key_file: key.pem}\n'))
    compare(job('  tls_config: {cert_file: no.pem, key_file: key.pem}\n'))
    compare(job('  tls_config: {cert_file: no.pem, key_file: key.pem}\n'), '--syntax-only')
    compare(job('  tls_config: {cert_file: certificate.pem, key_file: certificate.pem}\n'))
    compare(job("  file_sd_configs: [{files: [none.yml, 'none*.json', list.yml]}]\n"))
    compare(job("  file_sd_configs: [{files: [none.yml, 'none*.json', list.yml]}]\n"), '--syntax-only')
  })

  it('makes the targets of static_configs and says which one cannot be scraped', () => {
    const path = write(
      'targets.yml',
      `scrape_configs:
- job_name: a
  static_configs: [{targets: ['a:1']}, {targets: ['b:1', 'c:1']}]
  relabel_configs: [{source_labels: [__address__], regex: 'c(.*)', target_label: __scrape_interval__, replacement: '-1'}]
`,
    )
    compare(path)
    compare(
      write('dropped.yml', "scrape_configs: [{job_name: a, static_configs: [{targets: ['a:1']}], relabel_configs: [{action: drop}]}]"),
    )
  })

  it('checks rule files, and finds rules that are there twice', () => {
    const record = '  - {record: a, expr: up, labels: {x: y, b: c}}\n'
    const group = (name: string, rules: string) => `groups:\n- name: ${name}\n  rules:\n${rules}`
    write('one.rules', group('g', `${record}  - {alert: A, expr: up == 0}\n`))
    write('twice.rules', group('g', record + record + record))
    write('broken.rules', group('g', '  - record: a\n    expr: up(\n'))
    write('key.rules', group('g', '  - {record: a, expr: up, exprs: down}\n'))
    const named = (...names: string[]) => write('rules.yml', `rule_files: [${names.join(', ')}]\n`)
    compare(named('one.rules'))
    compare(named('none.rules'))
    compare(named('none*.rules'))
    compare(named('one.rules', 'twice.rules'))
    compare(named('one.rules', 'twice.rules'), '--lint-fatal')
    compare(named('one.rules', 'twice.rules'), '--lint=none')
    compare(named("'*.rules'"), '--lint-fatal')
    compare(named('broken.rules'))
    compare(named('one.rules'), '--syntax-only')
    compare(named('one.rules'), '--agent')
  })
})
