import { describe, expect, it } from 'vitest'
import { ConfigError } from './config-error.ts'
import { markPlaceholders } from './placeholders.ts'
import { parsePrometheusConfig, type PrometheusConfig } from './prometheus-config.ts'

const parse = (text: string, env: NodeJS.ProcessEnv = {}, included = ''): PrometheusConfig =>
  parsePrometheusConfig(text, {
    path: '/etc/p.yml',
    mode: 'agent',
    env,
    files: { glob: () => (included === '' ? [] : ['/etc/more.yml']), read: () => included },
  })

function failure(text: string, env: NodeJS.ProcessEnv = {}, included = ''): ConfigError {
  try {
    parse(text, env, included)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  return expect.fail('no error')
}

describe('%{NAME} in a config', () => {
  it('stands for a variable in values and keys, plain, quoted, in brackets and in blocks', () => {
    const config = parse(
      `scrape_configs:
  - job_name: %{JOB}
    static_configs: [{targets: [%{HOST}:9100, "%{HOST}:%{PORT}"], labels: {%{KEY}: 'a%{KEY}b'}}]
    scrape_interval: %{SECONDS}s
    sample_limit: %{LIMIT}
    basic_auth: {username: u, password: %{PASSWORD}}
remote_write:
  - url: >-
      http://%{HOST}/write
`,
      { JOB: 'node', HOST: 'db', PORT: '1', KEY: 'zone', SECONDS: '7', LIMIT: '12', PASSWORD: 'a: {b} #"\n' },
    )
    const [job] = config.scrapeConfigs
    expect(job).toMatchObject({ jobName: 'node', scrapeIntervalMs: 7000, scrapeTimeoutMs: 7000, sampleLimit: 12 })
    expect(job!.discovery[0]).toMatchObject({ groups: [{ targets: ['db:9100', 'db:1'], labels: { zone: 'azoneb' } }] })
    expect(job!.http.basicAuth?.password?.reveal()).toBe('a: {b} #"\n')
    expect(config.remoteWrite[0]!.url).toBe('http://db/write')
  })

  it('leaves the dollar signs of relabelling alone, also in values', () => {
    const [job] = parse("scrape_configs: [{job_name: a, relabel_configs: [{target_label: b, replacement: '$1-%{X}'}]}]", {
      X: '${2}',
    }).scrapeConfigs
    expect(job!.relabelConfigs[0]!.replacement).toBe('$1-${2}')
  })

  it('is written %%{ to stand for itself, and is nothing without a name', () => {
    const name = (text: string) => parse(`scrape_configs: [{job_name: '${text}'}]`, { A: 'x', B: 'y' }).scrapeConfigs[0]!.jobName
    expect(name('%%{A}')).toBe('%{A}')
    expect(name('%{A}%{B}%%{%{A}')).toBe('xy%{x')
  })

  it('is left as it is without a proper name', () => {
    expect(parse("scrape_configs: [{job_name: '%{}%{1}%{a-b}%{A'}]").scrapeConfigs[0]!.jobName).toBe('%{}%{1}%{a-b}%{A')
  })

  it('is no variable in a comment', () => {
    expect(() => parse('# %{NOT_SET}\nscrape_configs: []\n')).not.toThrow()
  })

  it('may be set to nothing', () => {
    expect(parse('scrape_configs: [{job_name: a, sample_limit: %{X}}]', { X: '' }).scrapeConfigs[0]!.sampleLimit).toBe(0)
  })

  it('is an error with its place when it is not set', () => {
    const { problems, message } = failure('scrape_configs:\n  - job_name: a-%{ONE}-%{ONE}\n    scheme: "%{TWO}"\n')
    expect(problems).toEqual([
      { line: 2, column: 17, text: 'environment variable ONE is not set: %{ONE}' },
      { line: 2, column: 24, text: 'environment variable ONE is not set: %{ONE}' },
      { line: 3, column: 14, text: 'environment variable TWO is not set: %{TWO}' },
    ])
    expect(message).toBe('/etc/p.yml:2:17: environment variable ONE is not set: %{ONE} (and 2 more)')
  })

  it('does not move the places of other errors', () => {
    const { line, column } = failure('scrape_configs: [{job_name: %{A}, bad_key: 1}]', { A: 'a much longer text than that' })
    expect([line, column]).toEqual([1, 35])
  })

  it('is filled into the files of scrape_config_files too', () => {
    const included = 'scrape_configs: [{job_name: %{A}}]'
    expect(parse('scrape_config_files: [more.yml]', { A: 'x' }, included).scrapeConfigs[0]!.jobName).toBe('x')
    expect(failure('scrape_config_files: [more.yml]', {}, included).message).toBe(
      '/etc/more.yml:1:29: environment variable A is not set: %{A}',
    )
  })

  it('shows its value in the printed config, unless that is a secret', () => {
    const text = 'remote_write: [{url: http://%{H}/, basic_auth: {username: %{U}, password: %{P}}}]'
    const printed = parse(text, { H: 'host', U: 'me', P: 'hidden' }).redactedYaml()
    expect(printed).toContain('url: http://host/')
    expect(printed).toContain('username: me')
    expect(printed).not.toContain('hidden')
  })

  it('takes another mark where a text has the usual one', () => {
    const marked = markPlaceholders('\ue000 %{A}')
    expect(marked).toEqual({ text: '\ue000 \ue001\ue001A\ue001', mark: '\ue001' })
    expect(markPlaceholders('{{ $labels.x }} 100%')).toEqual({ text: '{{ $labels.x }} 100%', mark: undefined })
  })
})
