import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { createEmbeddedMysql } from '@narthex/exporter-mysql/embedded-mysql'
import { createEmbeddedNginx } from '@narthex/exporter-nginx/embedded-nginx'
import { createEmbeddedRedis } from '@narthex/exporter-redis/embedded-redis'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { findFreePort, startProcess, waitFor } from '@narthex/test/kit/process'
import type { RunningProcess } from '@narthex/test/kit/process'
import { findProgram } from '@narthex/test/kit/packages'
import { startMariadb, startNginx, startRedis } from '@narthex/test/kit/services'
import type { Service } from '@narthex/test/kit/services'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { EmbeddedExporters } from '../../embedded/embedded-exporters.ts'
import { InProcessTargets } from '../../scrape/in-process.ts'
import { RecordingSink } from '../../scrape/testkit/recording-sink.ts'
import { createScraper } from '../../scraper.ts'
import type { Scraper } from '../../scraper.ts'
import { probeMysql } from './probe-mysql.ts'
import { Scanner } from './scanner.ts'
import { ProcView } from './testkit/proc-view.ts'

// Real servers, found among the processes that a test shows, and scraped by the real exporters.

interface Running {
  readonly scraper: Scraper
  readonly sink: RecordingSink
  readonly lines: string[]
  stop(): Promise<void>
}

let directory: string
let view: ProcView
let running: Running | undefined

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-local-'))
  view = new ProcView()
})

afterEach(async () => {
  await running?.stop()
  running = undefined
  view.remove()
  rmSync(directory, { recursive: true })
})

function start(intervalSeconds: number, keys = ''): Running {
  const lines: string[] = []
  const log = createLogger({ write: (line) => void lines.push(line) })
  const registry = new Registry()
  const inProcess = new InProcessTargets()
  const sink = new RecordingSink()
  const factories = { mysql: createEmbeddedMysql, redis: createEmbeddedRedis, nginx: createEmbeddedNginx }
  const embedded = new EmbeddedExporters({ factories, inProcess, address: '127.0.0.1:9090', log, registry })
  const text = `
global: {scrape_interval: ${intervalSeconds}s, scrape_timeout: ${intervalSeconds}s}
scrape_configs: [{job_name: local, local_sd_configs: [{procfs: '${view.path}', instance_host: here ${keys}}]}]
`
  const config = parsePrometheusConfig(text, { path: join(directory, 'p.yml'), mode: 'agent' })
  const scraper = createScraper({ config, sink, log, registry, userAgent: 't', inProcessTargets: inProcess, embedded })
  scraper.start()
  running = {
    scraper,
    sink,
    lines,
    async stop() {
      await scraper.stop()
      await embedded.close()
    },
  }
  return running
}

/** Waits for a sample of a series with this beginning and value; gives the time at which it was there, as `performance.now()`. */
async function waitForSample(from: Running, series: string, value: number | 'stale', timeoutMs = 30_000): Promise<number> {
  const isThere = (): boolean => from.sink.samples.some((sample) => sample.series.startsWith(series) && sample.value === value)
  try {
    await waitFor(`${series} ${value}`, isThere, { timeoutMs })
  } catch (cause) {
    const targets = from.scraper.targets().active.map(({ labels, health, lastError }) => `${labels} ${health} ${lastError}`)
    throw new Error([String(cause), ...targets, ...from.lines].join('\n'), { cause })
  }
  return performance.now()
}

describe('services of this machine', () => {
  let mariadb: Service
  beforeAll(async () => {
    mariadb = await startMariadb()
  }, 90_000)
  afterAll(() => mariadb.stop())

  test(
    'are scraped within 30 s of their start, end with stale markers, and are followed to another port',
    { timeout: 120_000 },
    async () => {
      const intervalMs = 2000
      const agent = start(intervalMs / 1000)
      const startMs = performance.now()
      const [redis, nginx] = await Promise.all([startRedis(), startNginx()])
      const services = [redis, nginx]
      try {
        for (const { process } of [redis, nginx, mariadb]) view.show(process.pid)
        const families = [
          `redis_up{instance="here:${redis.port}"`,
          `nginx_up{instance="here:${nginx.port}"`,
          `mysql_up{instance="here:${mariadb.port}"`,
        ]
        const arrivals = await Promise.all(families.map((series) => waitForSample(agent, series, 1)))
        const firstMs = Math.max(...arrivals) - startMs
        console.log(`first sample of redis, nginx and mariadb ${(firstMs / 1000).toFixed(1)} s after the start`)
        expect(firstMs).toBeLessThan(30_000)
        // The standard exporters' names.
        await waitForSample(agent, 'redis_connected_clients', 1)
        expect(agent.sink.samples.some(({ series }) => series.startsWith('mysql_global_status_threads_connected{'))).toBe(true)
        expect(agent.sink.samples.some(({ series }) => series.startsWith('nginx_connections_active{'))).toBe(true)

        await redis.stop()
        view.hide(redis.process.pid)
        const stoppedMs = performance.now()
        const moved = await startRedis()
        services.push(moved)
        view.show(moved.process.pid)
        const staleMs = (await waitForSample(agent, `redis_connected_clients{instance="here:${redis.port}"`, 'stale')) - stoppedMs
        console.log(`stale ${(staleMs / 1000).toFixed(1)} s after the stop, at an interval of ${intervalMs / 1000} s`)
        // And what a busy machine needs to find out.
        expect(staleMs).toBeLessThan(intervalMs * 2.1 + 5_000)
        const movedMs = (await waitForSample(agent, `redis_up{instance="here:${moved.port}"`, 1)) - stoppedMs
        console.log(`first sample at the other port after ${(movedMs / 1000).toFixed(1)} s`)
      } finally {
        for (const service of services) await service.stop()
      }
    },
  )

  test('that want credentials say so, are not asked again, and are scraped once they have them', { timeout: 60_000 }, async () => {
    const sql = (statement: string, password = ''): string => {
      const login = [
        '--no-defaults',
        `--socket=${mariadb.directory}/s.sock`,
        '--user=root',
        `--password=${password}`,
        '--skip-column-names',
      ]
      const { status, stdout, stderr } = spawnSync('mariadb', [...login, '-e', statement], { encoding: 'utf8' })
      if (status !== 0) throw new Error(stderr)
      return stdout.trim()
    }
    sql("ALTER USER root@localhost IDENTIFIED BY 'hunter2'")
    const readStatus = (name: string): number => Number(sql(`SHOW GLOBAL STATUS LIKE '${name}'`, 'hunter2').split('\t')[1])
    // Of the start: the kit connects, reads the greeting and leaves.
    const brokenOff = readStatus('Aborted_connects_preauth')
    expect(brokenOff).toBeGreaterThan(0)
    view.show(mariadb.process.pid)
    const agent = start(1, `, credentials_dir: '${directory}', refresh_interval: 1s`)
    const target = () => agent.scraper.targets().active[0]
    await waitFor('the target', () => target()?.lastError.startsWith('found, needs credentials: Access denied'))
    const before = readStatus('Connections')
    await new Promise((resolve) => setTimeout(resolve, 2500))
    // One is this test's own.
    expect(readStatus('Connections') - before).toBe(1)
    writeFileSync(join(directory, 'mysql.yml'), 'username: root\npassword: hunter2\n', { mode: 0o600 })
    await waitForSample(agent, 'mysql_up', 1)
    expect(target()).toMatchObject({ health: 'up', lastError: '' })
    expect(agent.lines.join('')).not.toContain('hunter2')
    // Every handshake was finished, over TCP too: a server blocks hosts that break them off.
    const listener = { host: '127.0.0.1', port: mariadb.port, inode: 1 }
    const result = await probeMysql({ kind: 'tcp', host: '127.0.0.1', port: mariadb.port, listener }, undefined, 2000)
    expect(result.kind).toBe('needs-credentials')
    expect(readStatus('Aborted_connects_preauth')).toBe(brokenOff)
  })
})

const isRoot = process.getuid?.() === 0 && findProgram('ip') !== undefined

describe.runIf(isRoot)('services in another network namespace', () => {
  const id = (process.pid % 60_000).toString(36)
  const name = `nx${id}`
  const [outer, inner] = [`nxo${id}`, `nxi${id}`]
  // 198.18.0.0/15 is for tests of this kind.
  const network = `198.18.${process.pid % 250}`
  const processes: RunningProcess[] = []
  const ip = (...args: string[]): void => {
    const { status, stderr } = spawnSync(findProgram('ip')!, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
  }

  beforeAll(() => {
    ip('netns', 'add', name)
    ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', name)
    ip('addr', 'add', `${network}.1/24`, 'dev', outer)
    ip('link', 'set', outer, 'up')
    ip('-n', name, 'addr', 'add', `${network}.2/24`, 'dev', inner)
    ip('-n', name, 'link', 'set', inner, 'up')
    ip('-n', name, 'link', 'set', 'lo', 'up')
  })
  afterAll(async () => {
    for (const each of processes) await each.stop()
    ip('netns', 'del', name)
  })

  async function startInside(...args: string[]): Promise<number> {
    const port = await findFreePort()
    const server = ['redis-server', '--port', String(port), '--save', '', '--dir', directory, '--protected-mode', 'no', ...args]
    const started = startProcess(findProgram('ip')!, ['netns', 'exec', name, ...server])
    processes.push(started)
    await waitFor('redis', () => started.output().includes('Ready to accept connections'), { process: started })
    view.show(started.pid)
    return port
  }

  test('are reached over their unix socket or their own address, else shown as out of reach', { timeout: 60_000 }, async () => {
    const agent = start(1, ', refresh_interval: 1s')
    const bySocket = await startInside('--bind', '127.0.0.1', '--unixsocket', join(directory, 'r.sock'))
    const byAddress = await startInside('--bind', '0.0.0.0')
    const outOfReach = await startInside('--bind', '127.0.0.1')
    const targets = () =>
      Object.fromEntries(
        agent.scraper.targets().active.map(({ labels, lastError }) => [labels.get('instance').replace(/^.*:/, ''), lastError]),
      )
    await waitForSample(agent, `redis_up{instance="${network}.2:${byAddress}"`, 1)
    await waitFor('all targets', () => agent.scraper.targets().active.filter(({ lastScrapeMs }) => lastScrapeMs > 0).length === 3)
    expect(targets()).toEqual({
      [bySocket]: '',
      [byAddress]: '',
      [outOfReach]: 'found, not reachable: it is in another network namespace, where no socket and no address of it can be reached',
    })
  })
})

test('500 idle listeners cost less than 1 % of a core, and keep nothing waiting for 20 ms', { timeout: 60_000 }, async () => {
  const script = `
    let left = 500
    for (let i = 0; i < 500; i++) require('node:net').createServer().listen(0, '127.0.0.1', () => { if (--left === 0) console.log('ready') })
  `
  const listeners = startProcess(process.execPath, ['-e', script])
  try {
    await waitFor('500 listeners', () => listeners.output().includes('ready'), { process: listeners })
    // The whole machine, but only looked at: nothing here connects.
    const scanner = new Scanner('/proc')
    await scanner.scan()
    const scans = 10
    const before = process.cpuUsage()
    const slices: number[] = []
    for (let i = 0; i < scans; i++) {
      const scan = await scanner.scan()
      expect(scan.ownTcp.length).toBeGreaterThanOrEqual(500)
      slices.push(scan.longestSliceMs)
      // As often as between two scans in ten seconds.
      for (let look = 0; look < 4; look++) scanner.hasNewService()
    }
    const { user, system } = process.cpuUsage(before)
    // Of one scan: what other programs took away from us in the others is not ours.
    const longestMs = slices.sort((a, b) => a - b)[scans / 2]!
    const share = (user + system) / 1e6 / (scans * 10)
    console.log(`500 listeners: ${(share * 100).toFixed(3)} % of a core at a scan every 10 s, longest slice ${longestMs.toFixed(1)} ms`)
    expect(share).toBeLessThan(0.01)
    expect(longestMs).toBeLessThan(20)
  } finally {
    await listeners.stop()
  }
})
