import { FamilyWriter } from '@narthex/exposition/family-writer'
import type { WireVersion } from '@narthex/receive/content-type'
import type { Receiver } from '@narthex/receive/receive'
import type { ReceiveAnswer, RequestTaker } from '@narthex/receive/receive-answer'
import { createWriteRoute, writePath, type WriteRoute } from '@narthex/receive/route'
import { WaitingReceiver } from '@narthex/receive/waiting-receiver'
import { defaultReserveBytes } from '@narthex/tsdb/disk-reserve'
import { defaultProcessBytesMax } from '@narthex/tsdb/memory-ceiling'
import { takeStepsInTurns } from '@narthex/tsdb/steps'
import { StoreOpening } from '@narthex/tsdb/open-store'
import { keepsExemplars, metadataRecordsFeature } from '../feature-flags.ts'
import { planMemory, type MemoryPlan } from '../memory-plan.ts'
import { bootQueryWorker, type BootedWorker } from '../query-threads.ts'
import { rehearseParsing, rehearseQueries } from '../rehearse-api.ts'
import { renderRegistry } from '../render-registry.ts'
import { mayCutLog } from '../send/log-hold.ts'
import { Server, type ServerParts } from '../server.ts'
import { registerStartRoutes } from './start-routes.ts'
import { WaitingWrites } from './waiting-writes.ts'

// The way from a data directory to a running server: lock it and listen, read its logs while remote write is put aside, make the server, hand it
// what waits, and only then answer queries.

/** Bodies of remote write as they came; uncompressed they take as much again. */
const inflightBytesMax = 64 * 1024 * 1024
const longReplaySeconds = 0.5

/** Who takes remote write now. */
class ReceiverSwitch implements RequestTaker {
  taker: RequestTaker

  constructor(taker: RequestTaker) {
    this.taker = taker
  }

  receive(contentType: string | undefined, contentEncoding: string | undefined, body: Uint8Array): ReceiveAnswer {
    return this.taker.receive(contentType, contentEncoding, body)
  }
}

export class ServerOpening {
  /** Where it listens. */
  urls: readonly string[] = []
  readonly #parts: ServerParts
  readonly #plan: MemoryPlan
  readonly #store: StoreOpening
  readonly #waiting: WaitingWrites
  readonly #receiver: ReceiverSwitch
  readonly #writeRoute: WriteRoute
  readonly #abort = new AbortController()
  /** Ends when the steps of the opening have. */
  #opened: Promise<unknown> = Promise.resolve()
  #server: Server | undefined
  #bootedWorker: BootedWorker | undefined
  /** There is something to ask for. */
  #warmsUp = false
  /** Requests that waited and in the end were refused, in whole or in part. */
  #refused = 0

  private constructor(parts: ServerParts) {
    const { settings, log, registry } = parts
    this.#parts = parts
    const plan = (this.#plan = planMemory({
      processBytesMax: settings.processMemoryBytesMax ?? defaultProcessBytesMax(),
      headBytesMax: settings.memoryBytesMax,
      queryBytesMax: settings.queryMemoryBytesMax,
    }))
    this.#store = new StoreOpening({
      directory: settings.directory,
      retentionMs: settings.retentionMs,
      retentionBytesMax: settings.retentionBytesMax,
      chunkRangeMs: settings.minBlockRangeMs,
      ...(settings.maxBlockRangeMs === undefined ? {} : { maxBlockRangeMs: settings.maxBlockRangeMs }),
      ...(settings.uploadedFile === '' ? {} : { uploadedFile: settings.uploadedFile }),
      walCompression: settings.walCompression,
      customBuckets: settings.customBuckets,
      mayCutLog: (walDirectory, activeSegment, settledSegment) =>
        mayCutLog(walDirectory, activeSegment, settledSegment, this.#server?.neededSegment ?? 0),
      readersEnded: () => this.#server?.queriesEnded() ?? Promise.resolve(),
      diskReserveBytes: settings.diskReserveBytes ?? defaultReserveBytes(settings.directory),
      onLogRead: (seconds) => {
        // Whoever asked in vain meanwhile comes back soon.
        if (seconds >= longReplaySeconds) this.#bootedWorker ??= bootQueryWorker(plan, settings)
      },
      version: settings.version,
      log,
      registry,
      memoryBytesMax: plan.headBytes,
      seriesMax: settings.seriesMax,
      seriesPerMetricMax: settings.seriesPerMetricMax,
      exemplarsMax: keepsExemplars(settings) ? settings.exemplarsMax : 0,
      logsMetadata: settings.features.includes(metadataRecordsFeature),
    })
    const waiting = (this.#waiting = new WaitingWrites({ directory: settings.directory, log }))
    this.#receiver = new ReceiverSwitch(
      new WaitingReceiver({
        waiting,
        keepsExemplars: keepsExemplars(settings),
        onError: (error) => log.error('cannot keep a request until the storage is read', { err: error }),
      }),
    )
    const bytesMax = Math.min(inflightBytesMax, plan.receiveBytes / 2)
    this.#writeRoute = createWriteRoute({ receiver: this.#receiver, registry, inflightBytesMax: bytesMax })
    const bytes = registry.gauge('narthex_waiting_writes_bytes', 'Remote write requests that wait on the disk until the storage is read.')
    registry.onCollect(() => bytes.set(waiting.bytes))
  }

  /** Locks the data directory and listens: from now on there is an answer to everything, and remote write is taken. */
  static async begin(parts: ServerParts): Promise<ServerOpening> {
    const opening = new ServerOpening(parts)
    opening.#store.readAhead()
    // Who has blocks has been asked before: a thread for queries loads its code, and opens blocks, while the log is read.
    if (opening.#store.hasBlocks) {
      opening.#bootedWorker = bootQueryWorker(opening.#plan, parts.settings, { aheadDirectory: parts.settings.directory })
    }
    const { http, settings, registry } = parts
    const writer = new FamilyWriter()
    http.routesOfStart((app, _options, done) => {
      registerStartRoutes(app, {
        routePrefix: http.routePrefix,
        pageTitle: settings.pageTitle,
        progress: opening.#store.progress,
        addWriteRoute: settings.receiverRefusal === undefined ? opening.#writeRoute.add : undefined,
        renderMetrics: () => renderRegistry(registry, writer),
      })
      done()
    })
    if (settings.receiverRefusal === undefined) http.answerDirectly(writePath, opening.#writeRoute.body)
    try {
      opening.urls = await http.listen()
    } catch (error) {
      opening.#store.release()
      await opening.#bootedWorker?.worker.terminate()
      throw error
    }
    return opening
  }

  /** Reads the logs and makes the server; its routes are added, and nothing runs yet. Never settles if `stop` came before. */
  async finish(): Promise<Server> {
    const { settings } = this.#parts
    const opened = takeStepsInTurns(this.#store.steps(true), this.#abort.signal)
    this.#opened = opened.catch(() => {})
    try {
      const store = await opened
      try {
        const parts = { store, plan: this.#plan, addWriteRoute: this.#writeRoute.add, bootedWorker: this.#bootedWorker }
        this.#server = new Server(this.#parts, parts)
        this.#bootedWorker = undefined
        // Who has asked before, or has waited for a long start, comes back soon.
        if (store.replay.seconds >= longReplaySeconds || store.blocks.blocks.length > 0 || store.head.seriesCount > 0) {
          this.#server.pool.warmUp()
          this.#warmsUp = true
        }
        return this.#server
      } catch (error) {
        await store.close()
        throw error
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error
      this.#parts.log.info('The start was given up', { dir: settings.directory })
      return await new Promise<never>(() => {})
    }
  }

  /** After the server got its configuration: hands it what waits and lets it answer. */
  async serve(): Promise<void> {
    const server = this.#server
    if (server === undefined) throw new Error('cannot serve: the storage is not open')
    const { promise: blocked, resolve: onBlocked } = Promise.withResolvers<void>()
    const drained = this.#drain(server, onBlocked)
    drained.catch((error: unknown) =>
      this.#parts.log.error('cannot hand over the requests that waited: this is a bug in Narthex', { err: error }),
    )
    // A full disk or head holds them up, not the queries.
    await Promise.race([drained, blocked])
    server.start()
    const { http, log } = this.#parts
    const rehearsal = { http, pool: server.pool, isOver: () => this.#abort.signal.aborted }
    if (this.#warmsUp) {
      // Nothing waits for it: the start does not hang on what nobody asked for.
      rehearseParsing(rehearsal)
        .then(() => rehearseQueries(rehearsal))
        .catch((error: unknown) => log.error('cannot rehearse queries: this is a bug in Narthex', { err: error }))
    }
    await http.serve()
  }

  /** Ends the server, or the opening. The HTTP server is its owner's to close, before this. `prolong` as in `Store.close`. */
  async stop(graceMs: number, prolong?: (ms: number) => void): Promise<void> {
    this.#abort.abort(new Error('the start was given up'))
    await this.#opened
    await this.#waiting.close()
    await this.#bootedWorker?.worker.terminate()
    await this.#server?.stop(graceMs, prolong)
  }

  async #drain(server: Server, onBlocked: () => void): Promise<void> {
    const waiting = this.#waiting
    const { log } = this.#parts
    const isEmpty = await waiting.drain(
      (version, body) => this.#take(server.receiver, version, body, onBlocked),
      () => (this.#receiver.taker = server.receiver),
    )
    // Stopped before: the next start goes on with what is left.
    if (!isEmpty) return
    if (waiting.drained > 0) {
      log.info('Requests that waited for the storage are stored', { requests: waiting.drained })
      await server.store.sync()
    }
    await waiting.remove()
  }

  /** False: not now. */
  #take(receiver: Receiver, version: WireVersion, body: Uint8Array, onBlocked: () => void): boolean {
    const { log } = this.#parts
    try {
      const { status, errorText } = receiver.receiveVersion(version, body)
      if (status >= 500) onBlocked()
      else if (status >= 400 && this.#refused++ === 0) {
        log.warn('A request that waited for the storage was refused, in whole or in part', { status, err: errorText })
      }
      return status < 500
    } catch (error) {
      // It would fail at every start.
      log.error('A request that waited for the storage is lost: this is a bug in Narthex', { err: error })
      return true
    }
  }
}
