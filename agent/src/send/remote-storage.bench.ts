import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import type { RemoteWriteConfig } from '@narthex/config/remote-config'
import { Labels } from '@narthex/model/labels'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import type { SeriesLayout } from '../store/frame.ts'
import { LayoutBuilder } from '../store/layout-builder.ts'
import { RemoteStorage } from './remote-storage.ts'

// Run by `node remote-storage.bench.ts`: 100 targets of 1,000 series through the log and into requests that are thrown away.
const targets = 100
const seriesPerTarget = 1005
let requests = 0
let bytes = 0

const layouts: SeriesLayout[] = []
const families = Array.from({ length: 300 }, (_, i) => {
  return { name: `node_metric_${i}_total`, type: 'counter', help: 'A help text of usual length for a metric.', unit: '' } as const
})
for (let target = 0; target < targets; target++) {
  const builder = new LayoutBuilder()
  for (let i = 0; i < seriesPerTarget; i++) {
    const family = families[i % 300]!
    builder.addPairs(
      ['__name__', family.name, 'cpu', String(i % 8), 'instance', `10.0.0.${target}:9100`, 'job', 'node', 'mode', `mode${i % 11}`],
      family,
    )
  }
  layouts.push(builder.build(target))
}

function configOf(protobufMessage: RemoteWriteConfig['protobufMessage']): RemoteWriteConfig {
  return {
    url: 'http://nowhere/',
    remoteTimeoutMs: 1000,
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
      batchSendDeadlineMs: 5000,
      minBackoffMs: 30,
      maxBackoffMs: 5000,
      retryOnHttp429: true,
      sampleAgeLimitMs: 0,
      liveFirst: false,
    },
    ...(protobufMessage === undefined ? {} : { protobufMessage }),
  }
}

async function run(message: NonNullable<RemoteWriteConfig['protobufMessage']>, externalLabels: Labels): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-bench-'))
  const storage = new RemoteStorage({
    directory,
    remotes: [configOf(message)],
    externalLabels,
    registry: new Registry(),
    logger: createLogger(),
    userAgent: 'bench',
    createPoster: () => ({
      async post(_headers, body) {
        requests++
        bytes += body.length
        return { status: 204, headers: { 'x-prometheus-remote-write-samples-written': '2000' }, body: new Uint8Array(0) }
      },
    }),
  })
  const values = Float64Array.from({ length: seriesPerTarget }, (_, i) => [0, 1, i * 12345, i * 1.01, i * Math.PI, 4096 * i][i % 6]!)
  const words = new Uint32Array(values.buffer)
  let time = 1.7e12
  for (let round = 0; round < 20; round++) {
    requests = 0
    bytes = 0
    const cpu = process.cpuUsage()
    for (const layout of layouts) {
      storage.append({ layout, indexes: undefined, times: time++, words, count: seriesPerTarget })
      await new Promise((resolve) => setImmediate(resolve))
    }
    await new Promise((resolve) => setImmediate(resolve))
    const used = process.cpuUsage(cpu)
    const nanoseconds = ((used.user + used.system) / targets / seriesPerTarget) * 1000
    if (round % 5 === 4)
      console.log(
        `${message}: ${nanoseconds.toFixed(0)} ns/sample, ${requests} requests, ${(bytes / targets / seriesPerTarget).toFixed(1)} B/sample`,
      )
  }
  await storage.close(1000)
  rmSync(directory, { recursive: true })
}

void run('io.prometheus.write.v2.Request', Labels.empty)
  .then(() => run('io.prometheus.write.v2.Request', Labels.from({ cluster: 'eu-1', replica: '0' })))
  .then(() => run('prometheus.WriteRequest', Labels.empty))
