import { mkdtempSync, readdirSync, readlinkSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { silentLogger } from '@narthex/service/logger'
import { writeBlock } from '@narthex/tsdb/block/block.test-blocks'
import { openStore } from '@narthex/tsdb/open-store'
import type { Store } from '@narthex/tsdb/store'
import { planMemory } from './memory-plan.ts'
import { QueryMemory } from './query-memory.ts'
import type { QueryPool } from './query-pool.ts'
import { bootQueryWorker, createQueryPool } from './query-threads.ts'

const plan = planMemory({ processBytesMax: 2 ** 30, headBytesMax: undefined, queryBytesMax: undefined })
const settings = { lookbackMs: 300_000, querySamplesMax: 1e6, features: [] }
const timeMs = 1_700_000_000_000
let directory: string
let store: Store
let pool: QueryPool | undefined

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-query-threads-'))
  store = openStore({ directory, log: silentLogger, memoryBytesMax: 2 ** 27 })
  store.head.append(store.head.refByLabels(Labels.from({ __name__: 'up' })), timeMs, 0, 0x3ff00000)
  store.head.commit()
})

afterEach(async () => {
  await pool?.close()
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

/** Of all threads. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(join('/proc/self/fd', fd))
    } catch {
      return ''
    }
  })
}

function writeUp(value: number): Promise<string> {
  return writeBlock(directory, [{ labels: ['__name__', 'up'], chunks: [[[timeMs - 1000 * value, value]]] }])
}

async function ask(booted: ReturnType<typeof bootQueryWorker> | undefined, log = silentLogger, query = 'up'): Promise<string> {
  pool = createQueryPool({
    parts: { settings, log },
    memory: new QueryMemory(plan.queryBytes, plan.queryBytesMax),
    threads: 1,
    ...{ store, plan, booted },
  })
  const request = { kind: 'instant', query, timeMs, lookbackMs: undefined, limit: 0, stats: '' } as const
  const reply = await pool.run(request, 30_000)
  if (reply === undefined || !('body' in reply)) throw new Error('want an encoded answer')
  return new TextDecoder().decode(reply.body)
}

const answer = /"result":\[\{"metric":\{"__name__":"up"\},"value":\[1700000000,"1"\]\}\]/

test('a thread that was booted before there was a storage answers the first query', async () => {
  const booted = bootQueryWorker(plan, settings)
  const { promise: ended, resolve } = Promise.withResolvers<number>()
  booted.worker.on('exit', resolve)
  expect(await ask(booted)).toMatch(answer)
  expect(booted.worker.threadId).toBeGreaterThan(0)
  // It is the pool's from then on.
  await pool!.close()
  expect(await ended).toBeGreaterThanOrEqual(0)
})

test('one that found a damaged block before there was a storage tells of it, and of others, as any thread does', async () => {
  const [whole, damaged] = [await writeUp(1), await writeUp(2)]
  truncateSync(join(damaged, 'index'), 20)
  const booted = bootQueryWorker(plan, settings, { aheadDirectory: directory })
  const told: string[] = []
  const shelf = [whole, damaged].map((block) => ({ directory: block, minTimeMs: timeMs - 1000, maxTimeMs: timeMs, deletions: 0 }))
  Object.assign(store.blocks, { shelf })
  const log = { ...silentLogger, warn: (_message: string, fields?: Record<string, unknown>) => void told.push(String(fields?.['block'])) }
  await vi.waitFor(() => expect(openFiles()).toContain(join(whole, 'index')), { timeout: 20_000 })
  const text = await ask(booted, log, 'count_over_time(up[1h])')
  expect(text).toMatch(/"value":\[1700000000,"2"\].*"warnings":\["block [0-9A-Z]{26} cannot be read: the result is without its samples"\]/)
  expect(told).toEqual([damaged])
})

test('one that has ended meanwhile is replaced', async () => {
  const booted = bootQueryWorker(plan, settings)
  await booted.worker.terminate()
  expect(await ask(booted)).toMatch(answer)
})
