import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkPrometheusConfig, parsePrometheusConfig, type PrometheusConfig } from './prometheus-config.ts'
import { collectUnsupported } from './unsupported.ts'

const shared =
  process.env['NARTHEX_CONFORMANCE'] ??
  join(process.env['NARTHEX_SHARED'] ?? join(import.meta.dirname, '../../../../shared'), 'conformance')

const parse = (text: string, env: NodeJS.ProcessEnv = {}): PrometheusConfig =>
  parsePrometheusConfig(text, { path: '/etc/p/prometheus.yml', mode: 'server', env })

describe('a Prometheus config', () => {
  it('has Prometheus` defaults when it is empty', () => {
    const config = parse('')
    expect(config.global).toMatchObject({
      scrapeIntervalMs: 60_000,
      scrapeTimeoutMs: 10_000,
      evaluationIntervalMs: 60_000,
      metricNameValidationScheme: 'utf8',
    })
    expect([config.scrapeConfigs, config.remoteWrite, config.tracing]).toEqual([[], [], undefined])
  })

  it('gives scrape configs what global says, and cuts the timeout to the interval', () => {
    const text =
      'global: {scrape_interval: 30s, scrape_timeout: 20s, sample_limit: 5}\nscrape_configs:\n- job_name: a\n- job_name: b\n  scrape_interval: 10s\n  sample_limit: 9\n'
    const [a, b] = parse(text).scrapeConfigs
    expect(a).toMatchObject({ scrapeIntervalMs: 30_000, scrapeTimeoutMs: 20_000, sampleLimit: 5, metricsPath: '/metrics', scheme: 'http' })
    expect(b).toMatchObject({ scrapeIntervalMs: 10_000, scrapeTimeoutMs: 10_000, sampleLimit: 9 })
  })

  it('knows whether compression was asked for, and prints what Prometheus prints', () => {
    const read = (text: string) => {
      const config = parse(`scrape_configs: [{job_name: a${text}}]`)
      const { enableCompression, compression } = config.scrapeConfigs[0]!
      return [enableCompression, compression, /enable_compression: \w+/.exec(config.redactedYaml())?.[0]]
    }
    expect(read('')).toEqual([true, 'auto', 'enable_compression: true'])
    expect(read(', enable_compression: true')).toEqual([true, 'on', 'enable_compression: true'])
    expect(read(', enable_compression: false')).toEqual([false, 'off', 'enable_compression: false'])
  })

  it('asks for protobuf first when native histograms are scraped', () => {
    const protocols = (text: string): readonly string[] =>
      parse(`${text}scrape_configs: [{job_name: a, scrape_native_histograms: true}]`).scrapeConfigs[0]!.scrapeProtocols
    expect(protocols('')[0]).toBe('PrometheusProto')
    expect(protocols('global: {scrape_protocols: [PrometheusText0.0.4]}\n')).toEqual(['PrometheusText0.0.4'])
  })

  it('expands the environment in external labels only', () => {
    const text = 'global: {external_labels: {a: "$X", b: "x${X}y", c: "a$$X", d: "$NONE", e: "1$ 2"}}\nscrape_configs: [{job_name: "$X"}]'
    const config = parse(text, { X: 'v' })
    expect(config.global.externalLabels.toRecord()).toEqual({ a: 'v', b: 'xvy', c: 'a$X', e: '1$ 2' })
    expect(config.scrapeConfigs[0]!.jobName).toBe('$X')
  })

  it('resolves relative paths against its directory', () => {
    const config = parse(
      'rule_files: [r/*.yml, /abs.yml]\nscrape_configs: [{job_name: a, basic_auth: {username: u, password_file: ../pw}}]',
    )
    expect(config.ruleFiles).toEqual(['/etc/p/r/*.yml', '/abs.yml'])
    expect(config.scrapeConfigs[0]!.http.basicAuth).toEqual({ username: 'u', passwordFile: '/etc/pw' })
  })

  it('makes a bearer token an authorization', () => {
    const { http } = parse('scrape_configs: [{job_name: a, bearer_token: t}]').scrapeConfigs[0]!
    expect([http.authorization?.type, http.authorization?.credentials?.reveal()]).toEqual(['Bearer', 't'])
  })

  it('names the place of what is wrong', () => {
    const failure = (text: string): string | undefined => checkPrometheusConfig(text, 'p.yml', 'server').error?.message
    expect(failure('scrape_configs:\n- job_name: a\n  scrape_intervall: 1s\n')).toBe(
      'p.yml:3:3: field scrape_intervall not found in type config.ScrapeConfig',
    )
    expect(failure('scrape_configs:\n- job_name: a\n- job_name: b\n- job_name: a\n')).toBe(
      'p.yml:4:3: found multiple scrape configs with job name "a"',
    )
    expect(failure('scrape_configs:\n- job_name: a\n  scrape_timeout: 2m\n')).toBe(
      'p.yml:3:3: scrape timeout greater than scrape interval for scrape config with job name "a"',
    )
    expect(failure('scrape_configs:\n- job_name: a\n  static_configs:\n  - targets: ["http://x"]\n')).toBe(
      'p.yml:3:3: "http://x" is not a valid hostname',
    )
    expect(failure('remote_write:\n- name: a\n')).toBe('p.yml:2:3: url for remote_write is empty')
  })

  it('never shows a secret, and what it prints loads again to the same', () => {
    const text = [
      'remote_write:',
      '- url: http://user:hunter2@x/push',
      '  basic_auth: {username: u, password: hunter2}',
      '  headers: {x: y}',
      'scrape_configs:',
      '- job_name: a',
      '  authorization: {credentials: hunter2}',
      '  static_configs: [{targets: ["b:1"], labels: {env: "true"}}]',
      '  relabel_configs: [{source_labels: [a, b], regex: "1", target_label: c}]',
      '  consul_sd_configs: [{server: "c:1", token: hunter2}]',
    ].join('\n')
    const config = parse(text)
    const printed = config.redactedYaml()
    expect(printed.match(/<secret>/g)?.length).toBeGreaterThanOrEqual(2)
    expect(printed).toContain('source_labels: [a, b]')
    expect(printed).not.toContain('hunter2')
    expect(JSON.stringify(config.scrapeConfigs)).not.toContain('hunter2')
    expect(parse(printed).redactedYaml()).toBe(printed)
  })

  it('lists what has no effect yet', () => {
    const lines = collectUnsupported(parse('scrape_configs: [{job_name: a, vultr_sd_configs: [{}]}]\ntracing: {endpoint: "x:1"}\n'))
    expect(lines).toEqual(['line 2: tracing has no effect yet', 'vultr_sd_configs of job "a" is not built yet and finds no targets'])
  })

  it.runIf(existsSync(shared))('agrees with every verdict of the conformance folder', () => {
    const directory = join(shared, 'config/prometheus')
    const rows = readFileSync(join(shared, 'config/prometheus.tsv'), 'utf8').trim().split('\n').slice(1)
    const wrong = rows.filter((row) => {
      const [file, verdict, contains] = row.split('\t') as [string, string, string | undefined]
      const path = join(directory, file)
      const found = checkPrometheusConfig(readFileSync(path, 'utf8'), path, verdict.includes('agent') ? 'agent' : 'server')
      const text = (found.goText ?? '').replaceAll(`${directory}/`, 'testdata/')
      return verdict === 'good' ? !found.isGood : found.isGood || !text.includes(contains ?? '')
    })
    expect(wrong).toEqual([])
  })
})
