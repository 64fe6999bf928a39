import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { createLogger, silentLogger } from '@narthex/service/logger'
import { openStore } from '@narthex/tsdb/open-store'
import type { Store } from '@narthex/tsdb/store'
import { planMemory } from './memory-plan.ts'
import { QueryMemory } from './query-memory.ts'
import { QueryFailure } from './query-job.ts'
import type { QueryPool } from './query-pool.ts'
import type { QueryRequest } from './query-protocol.ts'
import { createQueryPool } from './query-threads.ts'

// Real threads over a real head: what three of them answer together, and what one answers alone.

const plan = planMemory({ processBytesMax: 2 ** 31, headBytesMax: undefined, queryBytesMax: undefined })
const startMs = 1_700_000_000_000
const sampleCount = 400
const intervalMs = 15_000
const endMs = startMs + (sampleCount - 1) * intervalMs
const pools: QueryPool[] = []
const warnings: string[] = []
const log = createLogger({ level: 'warn', format: 'logfmt', write: (line) => void warnings.push(line) })
let directory: string
let store: Store
let together: QueryPool
let alone: QueryPool

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-divided-'))
  store = openStore({ directory, log: silentLogger, memoryBytesMax: 2 ** 27, now: () => endMs })
  const words = new Uint32Array(2)
  const value = new Float64Array(words.buffer)
  for (let i = 0; i < 60; i++) {
    const ref = store.head.refByLabels(Labels.from({ __name__: i % 2 === 0 ? 'even' : 'odd', i: String(i), half: String(i % 4) }))
    // Some are there in one part of the time only.
    const [from, to] = i % 5 === 0 ? [0, sampleCount / 4] : i % 5 === 1 ? [sampleCount / 2, sampleCount] : [0, sampleCount]
    for (let step = from; step < to; step++) {
      value[0] = Math.sin(i * step) * 100
      store.head.append(ref, startMs + step * intervalMs, words[0]!, words[1]!)
    }
  }
  store.head.commit()
  together = createPool(3)
  alone = createPool(1)
  // Threads load their code before they help.
  await askShared('even')
})

afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.close()))
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

function createPool(threadsPerQuery: number, queryBytesMax = plan.queryBytesMax): QueryPool {
  const pool = createQueryPool({
    parts: { settings: { lookbackMs: 300_000, querySamplesMax: 100_000, features: [] }, log },
    memory: new QueryMemory(plan.queryBytes, queryBytesMax),
    threads: 3,
    // However quick.
    sharedMsMin: 0,
    ...{ store, plan, threadsPerQuery },
  })
  pools.push(pool)
  return pool
}

function rangeOf(query: string, limit = 0): Extract<QueryRequest, { kind: 'range' }> {
  return { kind: 'range', query, startMs, endMs, stepMs: 10_000, lookbackMs: undefined, limit, stats: '' }
}

async function ask(pool: QueryPool, request: QueryRequest): Promise<string> {
  try {
    const reply = await pool.run(request, 30_000)
    if (reply === undefined || !('body' in reply)) throw new Error('want an encoded answer')
    return new TextDecoder().decode(reply.body)
  } catch (error) {
    if (error instanceof QueryFailure) return `${error.kind}: ${error.message}`
    throw error
  }
}

/** Until idle threads had parts of it. */
async function askShared(query: string, other: { readonly limit?: number; readonly stepMs?: number } = {}): Promise<string> {
  const request = { ...rangeOf(query), ...other }
  // Only what was answered before is shared: here at steps at which there is nothing.
  await ask(together, { ...request, startMs: startMs - 2e9, endMs: startMs - 2e9 + 40 * request.stepMs })
  for (let asked = 0; asked < 10_000; asked++) {
    const before = together.sharedQueries
    const answer = await ask(together, request)
    if (together.sharedQueries > before) return answer
  }
  throw new Error('no thread came to help')
}

afterEach(() => expect(warnings).toEqual([]))

describe('three threads together', () => {
  it.each([
    'odd',
    'sum by (half) (rate(even[5m]))',
    'topk(3, even) or bottomk(2, odd)',
    'even * on (half) group_left () count by (half) (even)',
    'max_over_time(odd[10m:30s] offset 5m)',
    'timestamp(even offset 1m) - (time() - 1)',
    'absent(even{half="7"}) or vector(scalar(odd{i="3"}))',
    'histogram_quantile(0.9, label_replace(even, "le", "$1", "i", "(.*)"))',
    'rate(even[4h])',
    '{__name__=~"even|odd"} > 0',
  ])('answer %s as one alone does', async (query) => {
    const answer = await askShared(query)
    expect(answer).toBe(await ask(alone, rangeOf(query)))
    expect(answer).toContain('"status":"success"')
  })

  it('keep to the limit of series, and say so', async () => {
    const answer = await askShared('even', { limit: 7 })
    expect(answer).toBe(await ask(alone, rangeOf('even', 7)))
    expect(answer).toContain('results truncated due to limit')
    expect(answer.match(/"metric"/g)).toHaveLength(7)
  })

  it('tell the error that one alone tells', async () => {
    for (const query of ['even + on (half) odd', 'label_replace(even, "i", "x", "", "")']) {
      const answer = await askShared(query)
      expect(answer).toBe(await ask(alone, rangeOf(query)))
      expect(answer).toMatch(/^execution: /)
    }
  })

  it('keep to the samples that a query may hold as one alone does', async () => {
    const answer = await askShared('{__name__=~"even|odd"}', { stepMs: 2_000 })
    expect(answer).toMatch(/^execution: query processing would load too many samples/)
    expect(answer).toBe(await ask(alone, { ...rangeOf('{__name__=~"even|odd"}'), stepMs: 2_000 }))
  })

  it('go on without one that ends', async () => {
    const wanted = await ask(alone, rangeOf('sum by (i) (stddev_over_time({half!=""}[7m:1s]))'))
    const answer = ask(together, rangeOf('sum by (i) (stddev_over_time({half!=""}[7m:1s]))'))
    // The first one answers.
    for (const threadId of together.threadIds.slice(1)) void together.terminate(threadId)
    expect(await answer).toBe(wanted)
  })
})
