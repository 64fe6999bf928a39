import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { silentLogger } from '@narthex/service/logger'
import { waitingDirectoryName, WaitingWrites } from '@narthex/server/start/waiting-writes'
import { compress } from '@narthex/wire/snappy'
import { afterEach, expect, test } from 'vitest'
import { RemoteWriteLoad } from '../bench/remote-write-load.ts'
import { askApi, launcher, queryVector, startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { makeTemporaryDirectory, waitFor } from '../kit/process.ts'
import { writeRequest } from '../kit/remote-write.ts'
import { prepareRequests, sendAll } from './write-latency.ts'

// What a server answers while it reads its log, and what becomes of the samples that it is sent meanwhile.

const config = 'scrape_configs: []\n'
// Reading them takes half a second and more, in which all that is asked below has to be asked.
const seriesCount = 800_000
const servers: NarthexProcess[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) await server.remove()
})

async function start(directory: string, until: 'healthy' | 'ready'): Promise<NarthexProcess> {
  const server = await startNarthex('server', { config, directory, until })
  servers.push(server)
  return server
}

async function kill({ child }: NarthexProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** Starts a server that still reads its log when `use` is through; one that was quicker is killed and started again. */
async function startAndUse(directory: string, use: (server: NarthexProcess) => Promise<void> = async () => {}): Promise<NarthexProcess> {
  for (let attempts = 5; attempts > 0; attempts--) {
    const server = await start(directory, 'healthy')
    if (!(await isReady(server))) {
      const failure = await use(server).then(
        () => undefined,
        (error: unknown) => ({ error }),
      )
      if (!(await isReady(server))) {
        if (failure !== undefined) throw failure.error
        return server
      }
    }
    await kill(server)
  }
  throw new Error('the log was read before this could be asked, five times: more series are needed')
}

const isReady = async (server: NarthexProcess) => (await fetch(`${server.url}/-/ready`)).status === 200

test(
  'samples are taken while the log is read, survive a second SIGKILL then, and are all there in the end; SIGTERM ends the reading',
  { timeout: 120_000 },
  async () => {
    const temporary = makeTemporaryDirectory('narthex-start-')
    try {
      const first = await start(temporary.path, 'ready')
      const load = new RemoteWriteLoad(seriesCount, 2_000, Date.now() - 60_000)
      await sendAll(prepareRequests(load, first.url, load.requestCount), first.url, 2)
      await kill(first)

      const timeMs = Date.now()
      const second = await startAndUse(temporary.path, async (server) => {
        const refused = await fetch(`${server.url}/api/v1/query?query=1`)
        expect([refused.status, refused.headers.get('x-prometheus-stopping'), await refused.text()]).toEqual([
          503,
          'false',
          'Service Unavailable',
        ])
        expect(await askApi(server.url, 'api/v1/status/walreplay')).toEqual({
          min: 0,
          max: expect.any(Number) as number,
          current: expect.any(Number) as number,
        })
        expect((await fetch(`${server.url}/`)).status).toBe(200)
        expect(await (await fetch(`${server.url}/metrics`)).text()).toContain('narthex_waiting_writes_bytes')
        await writeRequest(server.url, [{ labels: { __name__: 'while_reading', n: '1' }, samples: [[timeMs, 1]] }])
      })
      await kill(second)
      expect(existsSync(join(temporary.path, 'data', waitingDirectoryName))).toBe(true)

      const third = await start(temporary.path, 'healthy')
      await writeRequest(third.url, [{ labels: { __name__: 'while_reading', n: '2' }, samples: [[timeMs + 1, 2]] }])
      await waitFor('the server', () => isReady(third), { timeoutMs: 60_000 })
      const found = await queryVector(third.url, 'while_reading', (timeMs + 1) / 1000)
      expect(found.map(({ metric, value }) => [metric['n'], value[1]]).sort()).toEqual([
        ['1', '1'],
        ['2', '2'],
      ])
      expect((await queryVector(third.url, 'count({__name__=~"app_.+"})', load.timeMs / 1000))[0]?.value[1]).toBe(String(seriesCount))
      expect(existsSync(join(temporary.path, 'data', waitingDirectoryName))).toBe(false)

      await kill(third)
      const fourth = await startAndUse(temporary.path)
      fourth.child.kill('SIGTERM')
      const [code] = (await once(fourth.child, 'exit')) as [number | null]
      expect(code, fourth.output()).toBe(0)
      expect(readFileSync(join(temporary.path, 'data', 'lock'), 'utf8'), 'the directory was not given back').toBe('')
    } finally {
      for (const server of servers.splice(0)) await server.stop()
      temporary.remove()
    }
  },
)

test(
  'after a clean stop the head is taken over as it was and goes on; a SIGKILL later the logs are read',
  { timeout: 60_000 },
  async () => {
    const temporary = makeTemporaryDirectory('narthex-start-')
    try {
      const timeMs = Date.now() - 10_000
      const write = (server: NarthexProcess, count: number) =>
        writeRequest(server.url, [
          { labels: { __name__: 'counted' }, samples: Array.from({ length: 3 }, (_, i) => [timeMs + 3 * count + i, i]) },
        ])
      const count = async (server: NarthexProcess) => (await queryVector(server.url, 'count_over_time(counted[1m])'))[0]?.value[1]
      const first = await start(temporary.path, 'ready')
      await write(first, 0)
      first.child.kill('SIGTERM')
      expect(await once(first.child, 'exit'), first.output()).toEqual([0, null])
      expect(first.output()).toContain("The head's state is written")

      const second = await start(temporary.path, 'ready')
      expect(second.output()).toMatch(/The head's state is taken over.* series=1/)
      expect(second.output()).not.toContain('WAL replay completed')
      expect(await count(second)).toBe('3')
      await write(second, 1)
      expect(await count(second)).toBe('6')
      expect(existsSync(join(temporary.path, 'data', 'head_state', 'state'))).toBe(false)
      await kill(second)

      const third = await start(temporary.path, 'ready')
      expect(third.output()).toContain('WAL replay completed')
      expect(await count(third)).toBe('6')
    } finally {
      for (const server of servers.splice(0)) await server.stop()
      temporary.remove()
    }
  },
)

test('of requests that waited, what cannot be stored is told, and the others are', { timeout: 60_000 }, async () => {
  const temporary = makeTemporaryDirectory('narthex-start-')
  try {
    const data = join(temporary.path, 'data')
    mkdirSync(data)
    const waiting = new WaitingWrites({ directory: data, log: silentLogger })
    waiting.keep(1, compress(Uint8Array.of(0x0a, 0x7f)))
    await waiting.close()
    const server = await start(temporary.path, 'ready')
    expect(server.output()).toContain('A request that waited for the storage was refused, in whole or in part')
    await writeRequest(server.url, [{ labels: { __name__: 'afterwards' }, samples: [[Date.now(), 1]] }])
    expect(existsSync(join(data, waitingDirectoryName))).toBe(false)
  } finally {
    for (const server of servers.splice(0)) await server.stop()
    temporary.remove()
  }
})

test('a directory that another server has, and an address that is none, are each told in one line', { timeout: 60_000 }, async () => {
  const server = await startNarthex('server', { config })
  servers.push(server)
  const run = (...flags: string[]) => {
    const files = [`--config.file=${join(server.directory, 'prometheus.yml')}`, `--storage.tsdb.path=${join(server.directory, 'data')}`]
    const { status, stderr } = spawnSync(launcher, ['server', '--log.level=error', ...files, ...flags], {
      encoding: 'utf8',
      timeout: 30_000,
    })
    return { status, line: stderr.trimEnd().split('\n').at(-1), stack: /^ +at /m.test(stderr) }
  }
  const path = join(server.directory, 'data')
  expect(run('--web.listen-address=127.0.0.1:0')).toEqual({
    status: 1,
    line: expect.stringMatching(
      `^narthex server: cannot use --storage.tsdb.path=${path}: cannot lock .*/lock: process \\d+ holds it$`,
    ) as string,
    stack: false,
  })
  expect(run('--web.listen-address=127.0.0.1:1x')).toEqual({
    status: 1,
    line: 'listen tcp: address 127.0.0.1:1x: invalid port',
    stack: false,
  })
})
