import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { createClients } from '../http/clients.ts'
import { Labels } from '@narthex/model/labels'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { LayoutBuilder } from '../store/layout-builder.ts'
import { createPoster } from './http-poster.ts'
import { RemoteStorage } from './remote-storage.ts'

let directory: string
let server: ChildProcess
const client = createClients(defaultHttpClientConfig)

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-peer-'))
})

afterEach(async () => {
  const gone = new Promise((resolve) => server.once('close', resolve))
  server.kill('SIGKILL')
  await gone
  rmSync(directory, { recursive: true })
})

function findFreePort(): Promise<number> {
  return new Promise((resolve) => {
    const listener = createServer().listen(0, '127.0.0.1', () => {
      const { port } = listener.address() as AddressInfo
      listener.close(() => resolve(port))
    })
  })
}

async function startPeer(command: string, args: (port: number) => string[], healthPath: string): Promise<string> {
  const port = await findFreePort()
  server = spawn(command, args(port), { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  const isHealthy = () =>
    fetch(url + healthPath).then(
      ({ ok }) => ok,
      () => false,
    )
  await expect.poll(isHealthy, { timeout: 15_000, interval: 100 }).toBe(true)
  return url
}

async function queryOne(url: string, query: string, timeMs: number): Promise<string | undefined> {
  const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}&time=${timeMs / 1000}`)
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } }
  return data.result[0]?.value[1]
}

/** Peers of these versions answer 204 to 2.0 and store nothing: the sender must find out and send 1.0. */
test.each([
  [
    'prometheus 2.42',
    'prometheus',
    (port: number) => {
      writeFileSync(join(directory, 'prometheus.yml'), 'global: {}\n')
      return [
        `--config.file=${directory}/prometheus.yml`,
        `--storage.tsdb.path=${directory}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--web.enable-remote-write-receiver',
      ]
    },
    '/-/ready',
    0,
  ],
  [
    'victoria-metrics 1.79',
    'victoria-metrics',
    (port: number) => [
      `-storageDataPath=${directory}/data`,
      `-httpListenAddr=127.0.0.1:${port}`,
      '-retentionPeriod=12',
      '-search.latencyOffset=0s',
    ],
    '/health',
    2500,
  ],
] as const)('%s stores what the sender sends', { timeout: 40_000 }, async (_name, command, args, healthPath, visibleAfterMs) => {
  const url = await startPeer(command, args, healthPath)
  const storage = new RemoteStorage({
    directory: join(directory, 'agent'),
    remotes: [
      {
        url: `${url}/api/v1/write`,
        remoteTimeoutMs: 5000,
        headers: {},
        writeRelabelConfigs: [],
        sendExemplars: false,
        sendNativeHistograms: false,
        roundRobinDns: false,
        http: defaultHttpClientConfig,
        metadata: { send: true, sendIntervalMs: 60_000, maxSamplesPerSend: 2000 },
        queue: {
          capacity: 10_000,
          maxShards: 50,
          minShards: 1,
          maxSamplesPerSend: 2000,
          batchSendDeadlineMs: 50,
          minBackoffMs: 30,
          maxBackoffMs: 500,
          retryOnHttp429: true,
          sampleAgeLimitMs: 0,
          liveFirst: false,
        },
      },
    ],
    externalLabels: Labels.from({ cluster: 'c' }),
    createPoster: (config) => createPoster(client, config.url, config.remoteTimeoutMs),
    registry: new Registry(),
    logger: createLogger({ level: 'error' }),
    userAgent: 'narthex-test',
  })
  const builder = new LayoutBuilder()
  for (let i = 0; i < 300; i++) builder.addPairs(['__name__', 'sent_total', 'i', String(i), 'text', `ünï "${i}"`])
  const layout = builder.build(1)
  const now = Date.now()
  for (const [timeMs, factor] of [
    [now - 15_000, 1],
    [now, 2.5],
  ] as const) {
    const words = new Uint32Array(Float64Array.from({ length: 300 }, (_, i) => i * factor).buffer)
    storage.append({ layout, indexes: undefined, times: timeMs, words, count: 300 })
  }
  await storage.close(10_000)
  // VictoriaMetrics shows samples a second after it took them, and remembers for long that there were none before.
  await new Promise((resolve) => setTimeout(resolve, visibleAfterMs))
  await expect
    .poll(() => queryOne(url, 'sum(sent_total{cluster="c"})', now + 1000), { timeout: 10_000, interval: 1500 })
    .toBe(String(((299 * 300) / 2) * 2.5))
  expect(await queryOne(url, 'sum(sent_total{cluster="c"})', now - 14_000)).toBe(String((299 * 300) / 2))
  expect(await queryOne(url, 'sent_total{text="ünï \\"7\\""}', now + 1000)).toBe('17.5')
})
