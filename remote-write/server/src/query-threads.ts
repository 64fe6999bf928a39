import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { bringInMiddleCompiler } from '@narthex/service/compiler'
import type { Logger } from '@narthex/service/logger'
import { spawnWorker } from '@narthex/service/worker'
import type { Store } from '@narthex/tsdb/store'
import type { MemoryPlan } from './memory-plan.ts'
import type { QueryMemory } from './query-memory.ts'
import type { EndedQuery } from './query-observer.ts'
import { QueryPool } from './query-pool.ts'
import type { QueryWorkerBoot, QueryWorkerData, QueryWorkerOptions } from './query-protocol.ts'
import type { ServerSettings } from './server.ts'

const mib = 1024 * 1024
const idleWorkerMs = 5 * 60_000
const workerGraceMs = 2_000
const queueMax = 1_000
/** A thread needs so much JavaScript heap before it holds anything. */
const restingHeapBytes = 48 * mib
const youngHeapShare = 8
/** What an idle thread may keep beside its pages: in a small process less, so that what one query took is there for the next one. */
const keptBytesMax = 192 * mib
const keptQueryShare = 8
const keptBytesMin = 32 * mib

export interface QueryThreadOptions {
  readonly parts: {
    readonly settings: Pick<ServerSettings, 'lookbackMs' | 'querySamplesMax' | 'features'>
    readonly log: Logger
  }
  readonly store: Store
  readonly plan: MemoryPlan
  readonly memory: QueryMemory
  readonly threads: number
  /** Those of them that one query may have. Default: as many as there are processors. */
  readonly threadsPerQuery?: number
  /** As of the pool. */
  readonly sharedMsMin?: number
  /** Numbers the queries of several pools. */
  readonly nextId?: () => number
  readonly onEnd?: (ended: EndedQuery) => void
  /** A thread by `bootQueryWorker`, which is the first one. */
  readonly booted?: BootedWorker | undefined
}

type Settings = QueryThreadOptions['parts']['settings']

export interface BootedWorker {
  readonly worker: Worker
  /** Of the pool that it is for. */
  readonly running: SharedArrayBuffer
}

/**
 * Starts a thread for queries: it loads its code, warms up with the blocks of `aheadDirectory`, and waits for a `createQueryPool` to tell it the rest.
 */
export function bootQueryWorker(
  plan: MemoryPlan,
  settings: Settings,
  { running = new SharedArrayBuffer(4), aheadDirectory }: { running?: SharedArrayBuffer; aheadDirectory?: string } = {},
): BootedWorker {
  // Labels and lists of a query lie in the JavaScript heap, and are counted by a rule of thumb: the limit of the heap is for what that misses.
  // It is met slowly, by one collection after another, so it is twice as wide.
  const heapMib = Math.ceil((restingHeapBytes + 2 * plan.queryBytesMax) / mib)
  const resourceLimits = {
    maxOldGenerationSizeMb: heapMib,
    maxYoungGenerationSizeMb: Math.max(8, Math.min(24, Math.floor(heapMib / youngHeapShare))),
  }
  const worker = spawnWorker('query-worker', new URL('./query-worker.ts', import.meta.url), { resourceLimits })
  // As long as no pool listens, nobody misses it.
  worker.on('error', () => {})
  worker.postMessage({ options: workerOptionsOf(plan, settings), running, aheadDirectory } satisfies QueryWorkerBoot)
  return { worker, running }
}

function workerOptionsOf(plan: MemoryPlan, { lookbackMs, querySamplesMax, features }: Settings): QueryWorkerOptions {
  const cacheBytesMax = Math.floor(plan.cacheBytes / (plan.queryThreads + plan.readThreads))
  return {
    lookbackMs,
    samplesMax: querySamplesMax,
    cacheBytesMax,
    keptBytesMax: Math.min(keptBytesMax, keptBytesMin + plan.queryBytesMax / keptQueryShare) + cacheBytesMax,
    defaultStepMs: 60_000,
    featureFlags: features,
  }
}

/** A pool of threads over the head and the blocks, each within its share of the memory. */
export function createQueryPool(options: QueryThreadOptions): QueryPool {
  const { parts, store, plan, memory, threads, nextId, onEnd, booted } = options
  const { settings, log } = parts
  const running = booted?.running ?? new SharedArrayBuffer(4)
  let spare = booted?.worker
  return new QueryPool({
    ...(nextId === undefined ? {} : { nextId }),
    startWorker() {
      const head = store.head.descriptor()
      const share = memory.open()
      // One that has ended has no thread any more.
      const worker = spare !== undefined && spare.threadId !== -1 ? spare : bootQueryWorker(plan, settings, { running }).worker
      spare = undefined
      worker.postMessage({ head, memory: share } satisfies QueryWorkerData)
      return {
        worker,
        heldBytes: () => memory.bytesOf(share),
        release() {
          store.head.releaseReader(head)
          memory.close(share)
        },
      }
    },
    running,
    onBegin: bringInMiddleCompiler,
    refusal: () => memory.refusal(),
    listBlocks: () => store.blocks.shelf,
    listDeletions: () => store.head.deletions.view,
    copyExemplars: () => store.exemplars.ring.snapshot(),
    workersMax: threads,
    ...(options.sharedMsMin === undefined ? {} : { sharedMsMin: options.sharedMsMin }),
    threadsPerQuery: options.threadsPerQuery ?? availableParallelism(),
    queueMax,
    graceMs: workerGraceMs,
    idleMs: idleWorkerMs,
    ...(onEnd === undefined ? {} : { onEnd }),
    log,
  })
}
