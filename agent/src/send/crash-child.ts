import { writeSync } from 'node:fs'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { createClients } from '../http/clients.ts'
import { Labels } from '@narthex/model/labels'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { LayoutBuilder } from '../store/layout-builder.ts'
import { createPoster } from './http-poster.ts'
import { RemoteStorage } from './remote-storage.ts'

// The process that `crash.test.ts` kills: DIRECTORY URL FIRST-ROUND MODE. Appends a round of three targets every two
// milliseconds and prints its number when `append` has returned; mode `drain` only sends what is left and ends.
const [directory, url, firstRound, mode] = process.argv.slice(2)
const client = createClients(defaultHttpClientConfig)
const storage = new RemoteStorage({
  directory: directory!,
  remotes: [
    {
      url: url!,
      remoteTimeoutMs: 500,
      headers: {},
      writeRelabelConfigs: [],
      sendExemplars: false,
      sendNativeHistograms: false,
      roundRobinDns: false,
      http: defaultHttpClientConfig,
      metadata: { send: true, sendIntervalMs: 60_000, maxSamplesPerSend: 2000 },
      queue: {
        capacity: 500,
        maxShards: 4,
        minShards: 2,
        maxSamplesPerSend: 40,
        batchSendDeadlineMs: 5,
        minBackoffMs: 2,
        maxBackoffMs: 20,
        retryOnHttp429: true,
        sampleAgeLimitMs: 0,
        liveFirst: false,
      },
    },
  ],
  externalLabels: Labels.empty,
  createPoster: (config) => createPoster(client, config.url, config.remoteTimeoutMs),
  registry: new Registry(),
  logger: createLogger({ level: 'error', source: 'crash-child' }),
  userAgent: 'narthex-crash-child',
})

const layouts = [0, 1, 2].map((target) => {
  const builder = new LayoutBuilder()
  for (let i = 0; i < 5; i++) builder.addPairs(['__name__', `m${i}`, 'target', String(target)])
  return builder.build(target)
})

if (mode === 'drain') {
  void storage.close(10_000).then(() => client.close())
} else {
  let round = Number(firstRound)
  setInterval(() => {
    const words = new Uint32Array(new Float64Array(5).fill(round).buffer)
    for (const layout of layouts) storage.append({ layout, indexes: undefined, times: 1_000_000 + round, words, count: 5 })
    writeSync(1, `${round}\n`)
    round++
  }, 2)
}
