import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PrometheusConfig } from '@narthex/config/prometheus-config'
import { FakeClock } from '@narthex/service/fake-clock'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { ConfigFile } from './config-file.ts'
import { ConfigMetrics } from './config-metrics.ts'

let directory: ReturnType<typeof makeTemporaryDirectory>
let logged: string[]
let applied: string[][]
let file: ConfigFile
let clock: FakeClock
let stop: () => void

const write = (name: string, text: string): void => writeFileSync(join(directory.path, name), text)
const job = (name: string): string => `scrape_configs: [{job_name: ${name}}]\n`
const apply = (config: PrometheusConfig): void => void applied.push(config.scrapeConfigs.map(({ jobName }) => jobName))

beforeEach(() => {
  directory = makeTemporaryDirectory()
  logged = []
  applied = []
  clock = new FakeClock(0)
  const log = createLogger({ level: 'info', format: 'logfmt', write: (line) => void logged.push(line) })
  file = new ConfigFile({ path: join(directory.path, 'p.yml'), mode: 'server', log, metrics: new ConfigMetrics(new Registry()) })
  write('p.yml', `rule_files: ['*.rules']\nscrape_config_files: ['*.scrape']\n${job('a')}`)
  file.load()
  stop = file.watch(30_000, () => file.reload(apply), clock)
})

afterEach(() => {
  stop()
  directory.remove()
})

describe('a watched config file', () => {
  it('is not read again while nothing changes', async () => {
    write('p.yml', `rule_files: ['*.rules']\nscrape_config_files: ['*.scrape']\n${job('a')}`)
    await clock.advance(300_000)
    expect(applied).toEqual([])
  })

  it('is read at the next look after its content changed', async () => {
    write('p.yml', job('b'))
    await clock.advance(29_999)
    expect(applied).toEqual([])
    await clock.advance(1)
    expect(applied).toEqual([['b']])
    await clock.advance(300_000)
    expect(applied).toEqual([['b']])
  })

  it('is read when an included file comes, changes and goes, and when a rule file does', async () => {
    write('x.scrape', job('x'))
    await clock.advance(30_000)
    write('x.scrape', job('y'))
    await clock.advance(30_000)
    rmSync(join(directory.path, 'x.scrape'))
    await clock.advance(30_000)
    expect(applied).toEqual([['a', 'x'], ['a', 'y'], ['a']])
    write('new.rules', 'groups: []')
    await clock.advance(30_000)
    expect(applied).toHaveLength(4)
  })

  it('stays in force when the new one is bad, which is told once with its place', async () => {
    write('p.yml', 'scrape_configs:\n  - job_nam: b\n')
    await clock.advance(90_000)
    expect(applied).toEqual([])
    const errors = logged.filter((line) => line.includes('level=ERROR'))
    expect(errors).toHaveLength(1)
    expect(errors[0]).toContain('Error reloading config')
    expect(errors[0]).toContain(`${directory.path}/p.yml:2:5: field job_nam not found in type config.ScrapeConfig`)
    write('p.yml', job('c'))
    await clock.advance(30_000)
    expect(applied).toEqual([['c']])
  })

  it('is read when the mistake is mended in a file that only the bad configuration named', async () => {
    write('other.yml', 'scrape_configs: [{}]')
    write('p.yml', `scrape_config_files: [other.yml]\n${job('a')}`)
    await clock.advance(30_000)
    expect(applied).toEqual([])
    write('other.yml', job('b'))
    await clock.advance(30_000)
    expect(applied).toEqual([['a', 'b']])
  })

  it('stays in force when the file is gone', async () => {
    rmSync(join(directory.path, 'p.yml'))
    await clock.advance(30_000)
    expect(applied).toEqual([])
    expect(logged.at(-1)).toContain(`p.yml: no such file or directory`)
  })

  it('is not looked at any more after the end', async () => {
    stop()
    write('p.yml', job('b'))
    await clock.advance(60_000)
    expect(applied).toEqual([])
  })
})
