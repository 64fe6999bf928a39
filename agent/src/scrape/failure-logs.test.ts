import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { createScraper } from '../scraper.ts'
import { FailureLogs, pendingBytesMax } from './failure-logs.ts'
import { InProcessTargets } from './in-process.ts'
import { FakeClock } from './testkit/fake-clock.ts'
import { RecordingSink } from './testkit/recording-sink.ts'

let directory: string
let warnings: string[]
const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-failures-'))
  warnings = []
})
afterEach(() => rmSync(directory, { recursive: true }))

function createLogs(): FailureLogs {
  return new FailureLogs(createLogger({ write: (line) => void warnings.push(line) }), () => nowMs)
}

const readLines = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

test('a failed scrape is one line of JSON', async () => {
  const path = join(directory, 'f.log')
  const logs = createLogs()
  logs.reopen([path, path])
  logs.add(path, 'j', 'http://h/metrics', 'it "failed"')
  logs.add(join(directory, 'other'), 'j', 'http://h/metrics', 'not open')
  await logs.close()
  const [line, ...others] = readLines(path)
  expect(others).toEqual([])
  expect(line).toMatchObject({
    time: '2026-01-02T03:04:05.678Z',
    level: 'ERROR',
    msg: 'it "failed"',
    job_name: 'j',
    target: 'http://h/metrics',
  })
  expect(Object.keys(line!)).toEqual(['time', 'level', 'source', 'msg', 'job_name', 'target'])
})

test('a file that was moved away is opened anew by a reload', async () => {
  const path = join(directory, 'f.log')
  const logs = createLogs()
  logs.reopen([path])
  logs.add(path, 'j', 't', 'first')
  await logs.close()
  renameSync(path, `${path}.1`)
  logs.reopen([path])
  logs.add(path, 'j', 't', 'second')
  logs.reopen([])
  logs.add(path, 'j', 't', 'closed')
  await expect.poll(() => readLines(path).map(({ msg }) => msg)).toEqual(['second'])
  expect(readLines(`${path}.1`).map(({ msg }) => msg)).toEqual(['first'])
})

test('a file that cannot be written is one warning', async () => {
  const path = join(directory, 'missing', 'f.log')
  const logs = createLogs()
  logs.reopen([path])
  for (let i = 0; i < 3; i++) logs.add(path, 'j', 't', 'x')
  await expect.poll(() => warnings.length).toBe(1)
  logs.add(path, 'j', 't', 'x')
  await logs.close()
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain('cannot write the scrape failure log file')
})

test('lines that the disk does not take in time are left out, with one warning', async () => {
  const path = join(directory, 'f.log')
  const logs = createLogs()
  logs.reopen([path])
  const error = 'x'.repeat(1000)
  const lines = Math.ceil((2 * pendingBytesMax) / error.length)
  for (let i = 0; i < lines; i++) logs.add(path, 'j', 't', error)
  await logs.close()
  expect(warnings).toHaveLength(1)
  const written = readFileSync(path)
  expect(written.length).toBeLessThanOrEqual(pendingBytesMax)
  expect(written.length).toBeGreaterThan(pendingBytesMax - 2000)
})

test('scrapes of a job with a file that fail are in it, and of a job without are not', async () => {
  const path = join(directory, 'f.log')
  const clock = new FakeClock()
  const inProcess = new InProcessTargets()
  for (const host of ['a:1', 'b:1', 'c:1']) {
    const body = Buffer.from(host === 'c:1' ? 'm 1\n' : 'bad bad\n')
    inProcess.register(host, '/metrics', () => ({ status: 200, contentType: 'text/plain', body }))
  }
  const config = parsePrometheusConfig(
    `
global: {scrape_interval: 10s}
scrape_configs:
- {job_name: logged, scrape_failure_log_file: ${path}, static_configs: [{targets: ['a:1', 'c:1']}]}
- {job_name: unlogged, static_configs: [{targets: ['b:1']}]}
`,
    { path: '/p.yml', mode: 'agent' },
  )
  expect(config.notYet).toEqual([])
  const log = createLogger({ write: (line) => void warnings.push(line) })
  const options = {
    config,
    sink: new RecordingSink(),
    log,
    registry: new Registry(),
    userAgent: 'test',
    inProcessTargets: inProcess,
    clock,
  }
  const scraper = createScraper(options)
  scraper.start()
  await clock.advance(20_000)
  await scraper.stop()
  const lines = readLines(path)
  expect(lines.length).toBeGreaterThanOrEqual(1)
  expect(new Set(lines.map(({ job_name: job, target }) => `${String(job)} ${String(target)}`))).toEqual(
    new Set(['logged http://a:1/metrics']),
  )
  expect(lines[0]!['msg']).toContain('invalid syntax')
})
