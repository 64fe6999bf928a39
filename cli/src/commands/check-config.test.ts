import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { afterAll, describe, expect, it } from 'vitest'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { checkConfigFiles, readLints, runCheckConfig, type CheckConfigOptions } from './check-config.ts'

// What promtool 2.42 cannot be asked: see check-config.service.test.ts for the rest.

const directory = makeTemporaryDirectory()
afterAll(() => directory.remove())

function write(name: string, text: string): string {
  const path = join(directory.path, name)
  writeFileSync(path, text)
  return path
}

function check(path: string, options: Partial<CheckConfigOptions> = {}): { exitCode: number; lines: string[] } {
  const lines: string[] = []
  const keep = (line: string) => void lines.push(...line.replaceAll(`${directory.path}/`, '').split('\n'))
  const rules = { checks: {}, lintsDuplicates: true }
  const exitCode = checkConfigFiles(
    [path],
    { mode: 'server', isSyntaxOnly: false, isLintFatal: false, longIntervalMs: Infinity, rules, ...options },
    { out: keep, err: keep },
  )
  return { exitCode, lines: lines.filter((line) => line !== '') }
}

describe('narthex check config', () => {
  it('adds the place to texts that have none', () => {
    const { exitCode, lines } = check(write('a.yml', "global: {}\nscrape_configs:\n  - job_name: ''\n"))
    expect(lines).toEqual(['Checking a.yml', '  FAILED: parsing YAML file a.yml: job_name is empty', '    at a.yml:3:5'])
    expect(exitCode).toBe(1)
  })

  it('names the file of scrape_config_files that is wrong, unless only the syntax is asked for', () => {
    write('more.yml', 'scrape_configs:\n  - job_name: a\n    scheme: gopher\n')
    const path = write('main.yml', 'scrape_config_files: [more.yml]\n')
    const [, failure, place] = check(path).lines
    expect(failure).toMatch(/^ {2}FAILED: error loading scrape configs: "more\.yml": /)
    expect(place).toMatch(/^ {4}at more\.yml:3:\d+$/)
    expect(check(path, { isSyntaxOnly: true }).exitCode).toBe(0)
  })

  it('says what has no effect yet', () => {
    const { exitCode, lines } = check(
      write('sd.yml', 'scrape_configs:\n  - job_name: a\n    nerve_sd_configs: [{servers: [a:1], paths: [/x]}]\n'),
    )
    expect(lines[1]).toBe('  WARNING: nerve_sd_configs of job "a" is not built yet and finds no targets')
    expect(exitCode).toBe(0)
  })

  it('names a variable of %{NAME} that is not set', () => {
    const { lines } = check(write('env.yml', 'scrape_configs: [{job_name: %{NARTHEX_NO_SUCH_VARIABLE}}]\n'))
    expect(lines[1]).toBe(
      '  FAILED: parsing YAML file env.yml: environment variable NARTHEX_NO_SUCH_VARIABLE is not set: %{NARTHEX_NO_SUCH_VARIABLE}',
    )
    expect(lines[2]).toBe('    at env.yml:1:29')
  })

  it('lints jobs whose samples go stale between scrapes', () => {
    const path = write('long.yml', 'scrape_configs:\n  - job_name: a\n    scrape_interval: 5m\n')
    const text = '  FAILED: too long scrape interval found, data point will be marked as stale - job: a, interval: 5m'
    expect(check(path, { longIntervalMs: 300_000 })).toMatchObject({ exitCode: 0, lines: expect.arrayContaining([text]) as string[] })
    expect(check(path, { longIntervalMs: 300_000, isLintFatal: true }).exitCode).toBe(3)
    expect(check(path, { longIntervalMs: 300_001, isLintFatal: true }).exitCode).toBe(0)
  })

  it('refuses what an agent cannot do with --agent', () => {
    expect(check(write('rules.yml', 'rule_files: [a*]\n'), { mode: 'agent' }).lines[1]).toContain(
      'field rule_files is not allowed in agent mode',
    )
  })

  it('ends with a code and nothing to print, or one line about the command line', () => {
    const good = write('good.yml', '')
    expect(() => runCheckConfig([good])).toThrow(PrintAndExit)
    expect(() => runCheckConfig([])).toThrow(
      new UserError("narthex check config: error: required argument 'config-files' not provided, try --help"),
    )
    expect(() => runCheckConfig([good, `${good}.no`])).toThrow(`path '${good}.no' does not exist`)
  })

  it('reads the names of lints', () => {
    const told: string[] = []
    const output = { out: (line: string) => void told.push(line), err: () => {} }
    expect(readLints('duplicate-rules', output)).toEqual({ duplicateRules: true, longScrapeInterval: false })
    expect(readLints('too-long-scrape-interval,duplicate-rules', output)).toEqual({ duplicateRules: true, longScrapeInterval: true })
    expect(readLints('all', output)).toEqual({ duplicateRules: true, longScrapeInterval: true })
    expect(readLints('none', output)).toEqual({ duplicateRules: false, longScrapeInterval: false })
    expect(readLints('all,none', output)).toEqual({ duplicateRules: false, longScrapeInterval: false })
    expect(told).toEqual([])
    readLints('foo', output)
    expect(told).toEqual(['WARNING: unknown lint option: "foo"'])
  })
})
