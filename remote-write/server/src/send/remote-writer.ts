import type { Worker } from 'node:worker_threads'
import type { RemoteStatus } from '@narthex/agent/send/remote-status'
import type { FamilyMetadata } from '@narthex/agent/store/frame'
import type { MetadataEntry } from '@narthex/api/backend'
import type { PrometheusConfig } from '@narthex/config/prometheus-config'
import { isMetricType } from '@narthex/model/metric-type'
import type { Logger } from '@narthex/service/logger'
import type { Registry } from '@narthex/service/metrics'
import { spawnWorker } from '@narthex/service/worker'
import { writeFamilies } from './family-recorder.ts'
import { findGiveUp, holdLimit } from './log-hold.ts'
import { packRemotes } from './packed-remotes.ts'
import type { ReportedFamily, SendCall, SendReply, SendWorkerData } from './send-protocol.ts'

export interface RemoteWriterOptions {
  /** The data directory. */
  readonly directory: string
  /** The segment that this process began with. */
  readonly startSegment: number
  readonly userAgent: string
  /** `--storage.tsdb.retention.size`; 0 = no limit. */
  readonly retentionBytesMax: number
  /** What is known of metric families; asked every few seconds. */
  readonly metadata: () => ReadonlyMap<string, readonly MetadataEntry[]>
  readonly log: Logger
  readonly registry: Registry
  readonly startWorker?: (data: SendWorkerData) => Worker
}

const familiesIntervalMs = 15_000
/** The first look: targets were scraped, and what they say of their families goes with the first requests for long. */
const firstFamiliesMs = 2_000
/** `/metrics` shows the figures of the last time if the thread has no time for new ones. */
const reportTimeoutMs = 1_000
/** How often it is looked at whether the log is kept for a remote that is too far behind. */
const holdReviewMs = 30_000
/** A thread that died is started again after this. */
const restartMs = 5_000
/** Beyond the time that a stop gives to sending. */
const stopSlackMs = 1_000

interface Waiting {
  readonly resolve: (reply: SendReply | undefined) => void
}

/** `remote_write` of the server: a thread follows the log on disk and sends it. Without a remote there is no thread. */
export class RemoteWriter {
  readonly #options: RemoteWriterOptions
  #worker: Worker | undefined
  #config: { readonly remotes: string; readonly externalLabels: readonly string[] } | undefined
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0
  #reported: readonly ReportedFamily[] = []
  #remotes: readonly RemoteStatus[] = []
  /** Undefined: not told yet. */
  #needed: { readonly segment: number | undefined } | undefined
  #told = new Map<string, string>()
  #familiesTimer: NodeJS.Timeout | undefined
  #holdTimer: NodeJS.Timeout | undefined
  #restartTimer: NodeJS.Timeout | undefined
  #isStopping = false
  /** Remotes of the first configuration get all that this process takes. */
  #isFirst = true

  constructor(options: RemoteWriterOptions) {
    this.#options = options
    options.registry.onPrepare(() => this.#report())
    options.registry.onWrite((writer) => writeFamilies(writer, this.#reported))
  }

  /** Takes a configuration, at start and at each reload. Rejects with what the first remote that cannot be made says. */
  async apply({ remoteWrite, global }: Pick<PrometheusConfig, 'remoteWrite' | 'global'>): Promise<void> {
    if (remoteWrite.length === 0) this.#isFirst = false
    this.#config = remoteWrite.length === 0 ? undefined : { remotes: packRemotes(remoteWrite), externalLabels: global.externalLabels.pairs }
    if (this.#config === undefined) {
      if (this.#worker === undefined) return
      // So that the places of the remotes that go are forgotten.
      await this.#call({ kind: 'apply', remotes: '[]', externalLabels: [] })
      await this.#stopWorker(0)
      return
    }
    if (this.#worker === undefined) this.#start()
    const reply = await this.#call({ kind: 'apply', ...this.#config })
    if (reply?.kind === 'done' && reply.failure !== undefined) throw new Error(reply.failure)
  }

  /** How each remote is doing. */
  async status(): Promise<readonly RemoteStatus[]> {
    await this.#report()
    return this.#remotes
  }

  /**
   * The oldest segment of the log that a remote needs; Infinity if there is no remote. Until the thread has said so, all are needed.
   */
  get neededSegment(): number {
    if (this.#config === undefined) return Infinity
    if (this.#needed === undefined) return 0
    return this.#needed.segment ?? Infinity
  }

  /** Sends what is in the log for up to `graceMs`; the rest is for the next start. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true
    clearTimeout(this.#restartTimer)
    await this.#stopWorker(graceMs)
  }

  #start(): void {
    const { directory, startSegment, userAgent } = this.#options
    const data: SendWorkerData = { directory, startSegment, isFromStart: this.#isFirst, userAgent }
    this.#isFirst = false
    const startWorker = this.#options.startWorker ?? startSendWorker
    const worker = startWorker(data)
    this.#worker = worker
    this.#told = new Map()
    this.#needed = undefined
    worker.on('message', (reply: SendReply) => this.#take(reply))
    worker.on('error', (error) => this.#options.log.error('The thread of remote write failed', { err: error.message }))
    worker.on('exit', () => this.#onExit(worker))
    this.#holdTimer = setInterval(() => this.#reviewHold(), holdReviewMs).unref()
    const tell = (): void => {
      this.#tellFamilies()
      this.#familiesTimer = setTimeout(tell, familiesIntervalMs).unref()
    }
    this.#familiesTimer = setTimeout(tell, firstFamiliesMs).unref()
  }

  #onExit(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    clearTimeout(this.#familiesTimer)
    clearInterval(this.#holdTimer)
    this.#reported = []
    this.#remotes = []
    for (const { resolve } of this.#waiting.values()) resolve(undefined)
    this.#waiting.clear()
    if (this.#isStopping || this.#config === undefined) return
    // From the places on disk.
    this.#restartTimer = setTimeout(() => {
      if (this.#worker !== undefined || this.#config === undefined || this.#isStopping) return
      this.#start()
      void this.#call({ kind: 'apply', ...this.#config })
    }, restartMs)
  }

  #take(reply: SendReply): void {
    if (reply.kind === 'log') this.#options.log[reply.level](reply.message, reply.fields)
    else if (reply.kind === 'needed') this.#needed = { segment: reply.segment }
    else {
      if (reply.kind === 'report') {
        this.#reported = reply.families
        this.#remotes = reply.remotes
      }
      this.#waiting.get(reply.id)?.resolve(reply)
      this.#waiting.delete(reply.id)
    }
  }

  #post(call: SendCall): void {
    this.#worker?.postMessage(call)
  }

  /** Undefined: the thread ended before it answered. */
  #call(call: CallWithoutId): Promise<SendReply | undefined> {
    const worker = this.#worker
    if (worker === undefined) return Promise.resolve(undefined)
    const id = ++this.#lastId
    return new Promise((resolve) => {
      this.#waiting.set(id, { resolve })
      worker.postMessage({ ...call, id } satisfies SendCall)
    })
  }

  async #report(): Promise<void> {
    if (this.#worker === undefined) return
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, reportTimeoutMs)
    })
    await Promise.race([this.#call({ kind: 'report' }), timeout])
    clearTimeout(timer)
  }

  #reviewHold(): void {
    const { directory, retentionBytesMax, log } = this.#options
    try {
      const bytesMax = holdLimit(retentionBytesMax)
      const segment = findGiveUp(directory, this.neededSegment, bytesMax)
      if (segment === undefined) return
      log.warn('The write-ahead log is too large to be kept for a remote that is behind: what is oldest is given up', { bytesMax, segment })
      this.#post({ kind: 'giveUp', beforeSegment: segment })
    } catch (error) {
      // Files that go meanwhile: the next look counts again.
      log.debug('cannot measure the write-ahead log', { err: error instanceof Error ? error.message : String(error) })
    }
  }

  /** What is new or has changed since the last time. */
  #tellFamilies(): void {
    const families: FamilyMetadata[] = []
    for (const [name, [entry]] of this.#options.metadata()) {
      if (entry === undefined) continue
      const { type, unit, help } = entry
      const text = `${type}\n${unit}\n${help}`
      if (this.#told.get(name) === text) continue
      this.#told.set(name, text)
      families.push({ name, type: isMetricType(type) ? type : 'unknown', unit, help })
    }
    if (families.length > 0) this.#post({ kind: 'families', families })
  }

  async #stopWorker(graceMs: number): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    clearTimeout(this.#familiesTimer)
    clearInterval(this.#holdTimer)
    const deadline = setTimeout(() => void worker.terminate(), graceMs + stopSlackMs)
    await this.#call({ kind: 'stop', graceMs })
    clearTimeout(deadline)
    this.#worker = undefined
    this.#reported = []
    this.#remotes = []
    await worker.terminate()
  }
}

type CallWithoutId = SendCall extends infer Call ? (Call extends { readonly id: number } ? Omit<Call, 'id'> : never) : never

function startSendWorker(workerData: SendWorkerData): Worker {
  return spawnWorker('send-worker', new URL('./send-worker.ts', import.meta.url), { workerData })
}
