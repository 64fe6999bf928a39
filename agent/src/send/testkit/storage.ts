import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import type { QueueConfig, RemoteWriteConfig } from '@narthex/config/remote-config'
import { Labels } from '@narthex/model/labels'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import type { RemotePoster } from '../delivery.ts'
import { RemoteStorage } from '../remote-storage.ts'
import type { RemoteStorageOptions } from '../remote-storage.ts'

const quickQueue: QueueConfig = {
  capacity: 10_000,
  maxShards: 50,
  minShards: 1,
  maxSamplesPerSend: 2000,
  batchSendDeadlineMs: 5,
  minBackoffMs: 1,
  maxBackoffMs: 5,
  retryOnHttp429: false,
  sampleAgeLimitMs: 0,
  liveFirst: false,
}

export type RemoteOverrides = Partial<Omit<RemoteWriteConfig, 'queue'>> & { readonly queue?: Partial<QueueConfig> }

/** For tests: a remote that gets samples within milliseconds, and no metadata. */
export function remoteConfig({ queue, ...overrides }: RemoteOverrides = {}): RemoteWriteConfig {
  return {
    url: 'http://remote/api/v1/write',
    remoteTimeoutMs: 1000,
    headers: {},
    writeRelabelConfigs: [],
    sendExemplars: false,
    sendNativeHistograms: false,
    roundRobinDns: false,
    http: defaultHttpClientConfig,
    metadata: { send: false, sendIntervalMs: 60_000, maxSamplesPerSend: 2000 },
    ...overrides,
    queue: { ...quickQueue, ...queue },
  }
}

/** For tests: storages that share a temporary directory, one after the other, and the lines they logged. */
export class TestStorages {
  readonly directory = mkdtempSync(join(tmpdir(), 'narthex-send-'))
  readonly logLines: string[] = []
  readonly #open = new Set<RemoteStorage>()

  /** Each storage has a registry of its own unless the options give one. */
  open(
    remotes: readonly RemoteWriteConfig[],
    createPoster: (config: RemoteWriteConfig) => RemotePoster,
    options: Partial<RemoteStorageOptions> = {},
  ): RemoteStorage {
    const storage = new RemoteStorage({
      directory: this.directory,
      remotes,
      externalLabels: Labels.empty,
      createPoster,
      registry: new Registry(),
      logger: createLogger({ write: (line) => void this.logLines.push(line), source: 'test' }),
      userAgent: 'narthex-test',
      ...options,
    })
    this.#open.add(storage)
    return storage
  }

  async close(storage: RemoteStorage, graceMs: number): Promise<void> {
    this.#open.delete(storage)
    await storage.close(graceMs)
  }

  /** Closes what is open, without grace, and removes the directory. */
  async end(): Promise<void> {
    await Promise.all([...this.#open].map((storage) => this.close(storage, 0)))
    rmSync(this.directory, { recursive: true })
  }
}
