import { spawnSync } from 'node:child_process'
import { launcher } from '@narthex/test/kit/narthex'
import { answersOk, findFreePort, startProcess, waitFor, type RunningProcess } from '@narthex/test/kit/process'
import { startNginx, startNginxExporter, type Service } from '@narthex/test/kit/services'
import { afterAll, beforeAll, expect, test } from 'vitest'

// Debian's nginx-prometheus-exporter and ours on one NGINX.

let nginx: Service
let theirs: Service
let ours: RunningProcess
let ownUrl: string

beforeAll(async () => {
  nginx = await startNginx()
  theirs = await startNginxExporter(nginx)
  const port = await findFreePort()
  ownUrl = `http://127.0.0.1:${port}/metrics`
  ours = startProcess(launcher, [
    'exporter',
    'nginx',
    `--web.listen-address=127.0.0.1:${port}`,
    `--nginx.scrape-uri=${nginx.url}/stub_status`,
  ])
  await waitFor('our exporter', () => answersOk(ownUrl), { process: ours, timeoutMs: 60_000 })
})
afterAll(async () => {
  await ours?.stop()
  await Promise.all([theirs?.stop(), nginx?.stop()])
})

const compare = (...args: readonly string[]) => spawnSync(launcher, ['compare', 'exporter', ...args], { encoding: 'utf8' })

test('of an exporter and its original, counters lie between two readings, and nothing differs', () => {
  const { status, stdout, stderr } = compare('--twice', '--allow-additional', theirs.url, ownUrl)
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^8 families: 8 same, 0 different, 0 missing, 0 additional; \d+ families not compared/)
})

test('what one of them has more is told, and ends with 1', () => {
  const { status, stdout } = compare('--own-metrics', '--values=false', theirs.url, ownUrl)
  expect(status).toBe(1)
  expect(stdout).toContain('  nginxexporter_build_info: gauge {')
  expect(stdout).toContain('  nginx_exporter_build_info: gauge {')
})

test('an exporter that is not there ends with 2 and one line', () => {
  const { status, stdout, stderr } = compare(theirs.url, 'http://127.0.0.1:1/metrics')
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(/^narthex compare exporter: cannot read http:\/\/127.0.0.1:1\/metrics: .*connection refused\n$/)
})
