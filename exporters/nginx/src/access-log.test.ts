import { createLogger } from '@narthex/service/logger'
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import type { NginxExporter } from './nginx-exporter.ts'
import { createTestExporter } from './test-exporter.ts'

let directory = ''
let path = ''
let exporter: NginxExporter | undefined
let logged: string[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-log-'))
  path = join(directory, 'access.log')
  writeFileSync(path, '')
  logged = []
})
afterEach(async () => {
  await exporter?.close()
  exporter = undefined
  rmSync(directory, { recursive: true })
})

/** The samples of one scrape without those about files; the exporter is started by the first. */
async function scrape(flags: FlagValues = {}): Promise<string[]> {
  exporter ??= createTestExporter(
    { 'nginx.access-log': [path], 'nginx.access-log.buckets': '0.01,1', ...flags },
    { exporterMetricsDisabled: true, log: createLogger({ write: (line) => void logged.push(line), source: 'test' }) },
  )
  const text = Buffer.from((await exporter.handleMetrics()).body).toString()
  return text.split('\n').filter((line) => line !== '' && !/^#|^nginx_exporter_|^narthex_nginx_log_(up|rotations|other)/.test(line))
}

const json = (fields: Readonly<Record<string, unknown>>): string => `${JSON.stringify({ status: 200, request_method: 'GET', ...fields })}\n`

test('requests are counted by host, method and status, with their bytes', async () => {
  await scrape()
  appendFileSync(
    path,
    json({ host: 'a', body_bytes_sent: 10, request_length: 100 }) +
      json({ host: 'a', body_bytes_sent: 5, bytes_sent: 7, request_length: 50 }) +
      json({ host: 'client', server_name: 'b', status: '404', request_method: 'BREW' }) +
      json({ host: 'c', server_name: '_', request_method: undefined, request: 'POST / HTTP/1.1' }),
  )
  expect(await scrape()).toEqual([
    `narthex_nginx_log_lines_total{file="${path}"} 4`,
    'narthex_nginx_log_uncounted_total 0',
    'nginx_http_request_size_bytes{host="a",method="GET",status="200"} 150',
    'nginx_http_request_size_bytes{host="b",method="other",status="404"} 0',
    'nginx_http_request_size_bytes{host="c",method="POST",status="200"} 0',
    'nginx_http_response_count_total{host="a",method="GET",status="200"} 2',
    'nginx_http_response_count_total{host="b",method="other",status="404"} 1',
    'nginx_http_response_count_total{host="c",method="POST",status="200"} 1',
    'nginx_http_response_size_bytes{host="a",method="GET",status="200"} 17',
    'nginx_http_response_size_bytes{host="b",method="other",status="404"} 0',
    'nginx_http_response_size_bytes{host="c",method="POST",status="200"} 0',
    `nginx_parse_errors_total{file="${path}"} 0`,
  ])
})

const samplesOf = (lines: readonly string[], name: string): string[] => lines.filter((line) => line.startsWith(name))

test('durations are histograms by host and class of status', async () => {
  await scrape({ 'prometheus.const-label': ['env=test'] })
  const times: readonly (readonly [number, string])[] = [
    [200, '0.010'],
    [204, '0.011'],
    [200, '1.000'],
    [200, '1.001'],
    [503, '0.000'],
    [499, '-'],
  ]
  appendFileSync(path, times.map(([status, request_time]) => json({ host: 'a', status, request_time })).join(''))
  expect(samplesOf(await scrape(), 'nginx_http_request_duration')).toEqual([
    'nginx_http_request_duration_seconds_bucket{code="2xx",env="test",host="a",le="0.01"} 1',
    'nginx_http_request_duration_seconds_bucket{code="2xx",env="test",host="a",le="1"} 3',
    'nginx_http_request_duration_seconds_bucket{code="2xx",env="test",host="a",le="+Inf"} 4',
    'nginx_http_request_duration_seconds_sum{code="2xx",env="test",host="a"} 2.022',
    'nginx_http_request_duration_seconds_count{code="2xx",env="test",host="a"} 4',
    'nginx_http_request_duration_seconds_bucket{code="5xx",env="test",host="a",le="0.01"} 1',
    'nginx_http_request_duration_seconds_bucket{code="5xx",env="test",host="a",le="1"} 1',
    'nginx_http_request_duration_seconds_bucket{code="5xx",env="test",host="a",le="+Inf"} 1',
    'nginx_http_request_duration_seconds_sum{code="5xx",env="test",host="a"} 0',
    'nginx_http_request_duration_seconds_count{code="5xx",env="test",host="a"} 1',
  ])
})

test('every server of an upstream that was tried counts, with its own status and time', async () => {
  await scrape()
  const upstream = { proxy_host: 'app', upstream_addr: '10.0.0.1:80, unix:/run/b.sock : 10.0.0.3:80' }
  appendFileSync(
    path,
    json({ ...upstream, upstream_status: '502, 200 : -', upstream_response_time: '0.500, 0.005 : -', upstream_cache_status: 'MISS' }) +
      json({ upstream_addr: '-', upstream_status: '-', upstream_response_time: '-', upstream_cache_status: '-' }),
  )
  const lines = await scrape()
  expect(samplesOf(lines, 'nginx_http_upstream_requests')).toEqual([
    'nginx_http_upstream_requests_total{backend="10.0.0.1:80",code="5xx",upstream="app"} 1',
    'nginx_http_upstream_requests_total{backend="unix:/run/b.sock",code="2xx",upstream="app"} 1',
    'nginx_http_upstream_requests_total{backend="10.0.0.3:80",code="",upstream="app"} 1',
  ])
  expect(samplesOf(lines, 'nginx_http_upstream_duration_seconds_sum')).toEqual([
    'nginx_http_upstream_duration_seconds_sum{backend="10.0.0.1:80",code="5xx",upstream="app"} 0.5',
    'nginx_http_upstream_duration_seconds_sum{backend="unix:/run/b.sock",code="2xx",upstream="app"} 0.005',
  ])
  expect(samplesOf(lines, 'nginx_http_cache')).toEqual(['nginx_http_cache_requests_total{host="",status="miss"} 1'])
})

test('lines that are not of the format are counted, and told once', async () => {
  await scrape()
  appendFileSync(
    path,
    `hello ${'x'.repeat(40)}secret\n${json({ status: 'x' })}${json({ status: undefined })}${'x'.repeat(70_000)}\n${json({})}`,
  )
  const lines = await scrape()
  expect(samplesOf(lines, 'nginx_parse_errors_total')).toEqual([`nginx_parse_errors_total{file="${path}"} 4`])
  expect(samplesOf(lines, 'nginx_http_response_count')).toEqual(['nginx_http_response_count_total{host="",method="GET",status="200"} 1'])
  expect(logged.filter((line) => line.includes('not of its format') && line.includes('hello'))).toHaveLength(1)
  expect(logged.join('')).not.toContain('secret')
})

test('hosts beyond the limit are one, and that is told once', async () => {
  await scrape({ 'nginx.access-log.label-values-max': 2 })
  appendFileSync(path, ['a', 'b', 'c', 'd', 'a'].map((host) => json({ host })).join(''))
  const lines = await scrape()
  expect(samplesOf(lines, 'nginx_http_response_count').map((line) => line.replace(/,.* /, ' '))).toEqual([
    'nginx_http_response_count_total{host="a" 2',
    'nginx_http_response_count_total{host="b" 1',
    'nginx_http_response_count_total{host="other" 2',
  ])
  appendFileSync(path, json({ host: 'e' }))
  await scrape()
  expect(logged.filter((line) => line.includes('label host'))).toHaveLength(1)
})

test('only hosts that are wanted are told apart', async () => {
  await scrape({ 'nginx.access-log.hosts': '.*\\.test' })
  appendFileSync(path, ['a.test', 'b.test', 'x'].map((host) => json({ host })).join(''))
  expect(samplesOf(await scrape(), 'nginx_http_response_count').map((line) => /host="(.*?)"/.exec(line)![1])).toEqual([
    'a.test',
    'b.test',
    'other',
  ])
})

describe('files', () => {
  const combined = (status: number): string => `::1 - - [29/Nov/2026:14:00:00 +0000] "GET / HTTP/1.1" ${status} 5 "-" "-"\n`

  test('of a pattern each has the host that goes with it, and files that come later are read from their beginning', async () => {
    const flags = { 'nginx.access-log': [`shop=${directory}/shop*.log`, path] }
    writeFileSync(join(directory, 'shop1.log'), combined(200))
    await scrape(flags)
    appendFileSync(join(directory, 'shop1.log'), combined(201))
    appendFileSync(path, combined(202))
    expect(samplesOf(await scrape(), 'nginx_http_response_count')).toEqual([
      'nginx_http_response_count_total{host="shop",method="GET",status="201"} 1',
      'nginx_http_response_count_total{host="",method="GET",status="202"} 1',
    ])
  })

  test('that are not there, or may not be read, cost nothing and are told once; they are read when they come', async () => {
    const late = join(directory, 'late', 'access.log')
    await scrape({ 'nginx.access-log': [late] })
    await scrape()
    expect(logged.filter((line) => line.includes('cannot read access log'))).toHaveLength(1)
    mkdirSync(join(directory, 'late'))
    writeFileSync(late, combined(200))
    const text = Buffer.from((await exporter!.handleMetrics()).body).toString()
    expect(text).toContain('nginx_http_response_count_total{host="",method="GET",status="200"} 1\n')
    expect(text).toContain(`narthex_nginx_log_up{file="${late}"} 1\n`)
    expect(logged.filter((line) => line.includes('access log can be read'))).toHaveLength(1)
  })

  test('are followed across a rotation', async () => {
    await scrape()
    appendFileSync(path, combined(200))
    renameSync(path, `${path}.1`)
    writeFileSync(path, combined(200))
    appendFileSync(`${path}.1`, combined(200))
    expect(samplesOf(await scrape(), 'nginx_http_response_count')).toEqual([
      'nginx_http_response_count_total{host="",method="GET",status="200"} 3',
    ])
    const text = Buffer.from((await exporter!.handleMetrics()).body).toString()
    expect(text).toContain(`narthex_nginx_log_rotations_total{file="${path}"} 1\n`)
  })
})

test('with a log alone no page is asked for', async () => {
  expect(samplesOf(await scrape(), 'nginx_up')).toEqual([])
  const both = createTestExporter({ 'nginx.access-log': [path], 'nginx.scrape-uri': ['http://127.0.0.1:1/'] })
  expect(Buffer.from((await both.handleMetrics()).body).toString()).toContain('nginx_up 0\n')
  await both.close()
})

test.each([
  [{ 'nginx.access-log': [''] }, 'cannot use flag --nginx.access-log: want PATH or HOST=PATH, got ""'],
  [{ 'nginx.access-log.format': 'common' }, 'want auto, combined, json or the text of a log_format, got "common"'],
  [{ 'nginx.access-log.format': '$host' }, 'want $status in it'],
  [{ 'nginx.access-log.buckets': '1,1' }, 'cannot use flag --nginx.access-log.buckets: want at most 100 rising numbers'],
  [{ 'nginx.access-log.buckets': '' }, 'cannot use flag --nginx.access-log.buckets'],
  [{ 'nginx.access-log.hosts': '(' }, 'cannot use flag --nginx.access-log.hosts'],
  [{ 'nginx.access-log.label-values-max': 0 }, 'want a number from 1 to 1000, got 0'],
  [{ 'nginx.access-log.label-values-max': 1001 }, 'want a number from 1 to 1000, got 1001'],
])('%j stops the start with one line', (flags, reason) => {
  expect(() => createTestExporter(flags)).toThrow(reason)
})
