import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import type { HeadMemory } from '../head/head-memory.ts'
import type { SharedArena } from '../head/shared-arena.ts'
import { apply, contentsOf, exemplarsOf, metadataOf, open, openBy, rangeMs, statePath } from './head-state.test-store.ts'
import type { Operation } from './head-state.test-store.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-state-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const series = fc.nat(11)
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('floats', 'histograms', 'late', 'late-histograms'),
      series,
      count: fc.integer({ min: 1, max: 40 }),
      value: fc.nat(40),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete'), series, spanMs: fc.nat(8000) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('exemplar', 'metadata', 'refused'), series, value: fc.nat(40) }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'compact' } as const) },
)
const operations = fc.array(operation, { minLength: 1, maxLength: 25 })

function growingArenas({ symbols, pairs, postings, labels, series, chunks }: HeadMemory): readonly SharedArena[] {
  return [symbols, pairs, postings, labels, series, chunks]
}

describe('a head that was restored from its state', () => {
  it('has and does what one has and does that was restored from the logs', async () => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(operations, operations, async (before, after) => {
        const data = join(directory, String(run++))
        const clock = { nowMs: 100_000 }
        const original = open(data)
        await apply(original, before, clock)
        const want = [contentsOf(original), exemplarsOf(original), metadataOf(original), original.head.stats().chunks]
        await original.close()
        expect(existsSync(statePath(data))).toBe(true)
        cpSync(data, `${data}-logs`, { recursive: true })
        const byState = openBy('state', data)
        const byLogs = openBy('logs', `${data}-logs`)
        expect([contentsOf(byState), exemplarsOf(byState), metadataOf(byState), byState.head.stats().chunks]).toEqual(want)
        expect(contentsOf(byLogs)).toEqual(want[0])
        const clocks = [{ ...clock }, { ...clock }]
        const answers = [await apply(byState, after, clocks[0]!), await apply(byLogs, after, clocks[1]!)]
        expect(answers[0]).toEqual(answers[1])
        expect(contentsOf(byState)).toEqual(contentsOf(byLogs))
        await Promise.all([byState.close(), byLogs.close()])
        // What both have written since reads as one.
        const again = [openBy('logs', data), openBy('logs', `${data}-logs`)]
        expect(contentsOf(again[0]!)).toEqual(contentsOf(again[1]!))
        expect(metadataOf(again[0]!)).toEqual(metadataOf(again[1]!))
        await Promise.all(again.map((store) => store.close()))
      }),
      { numRuns: Number(process.env['NARTHEX_STATE_RUNS'] ?? 4) },
    )
  })

  it('goes on over many restarts, with cuts, freed series and checkpoints between them', async () => {
    const clock = { nowMs: 100_000 }
    let store = open(directory)
    for (let round = 0; round < 8; round++) {
      const of = (kind: 'floats' | 'histograms' | 'late', i: number): Operation => ({
        kind,
        series: 2 * round + i,
        count: 60,
        value: 40 + i,
      })
      await apply(store, [of('floats', 0), of('histograms', 1), of('late', 0), of('floats', 2), { kind: 'compact' }], clock)
      const want = contentsOf(store)
      const { highest } = store.wal.references
      await store.close()
      store = openBy('state', directory)
      expect(contentsOf(store)).toEqual(want)
      expect(store.wal.references.highest).toBe(highest)
    }
    expect(store.blocks.blocks.length).toBeGreaterThan(1)
    expect(readdirSync(join(directory, 'wal')).some((name) => name.startsWith('checkpoint.'))).toBe(true)
    expect(store.head.places).toBeLessThan(18)
    const want = contentsOf(store)
    await store.close()
    store = openBy('logs', directory)
    expect(contentsOf(store)).toEqual(want)
    await store.close()
  })

  it('uses memory again that the one before had freed', async () => {
    const clock = { nowMs: 100_000 }
    const round = (store: ReturnType<typeof open>, first: number): Promise<unknown> =>
      apply(
        store,
        [
          ...Array.from({ length: 20 }, (_, i): Operation => ({ kind: 'floats', series: first + i, count: 15, value: 47 })),
          { kind: 'compact' },
        ],
        clock,
      )
    let store = open(directory)
    for (let i = 0; i < 4; i++) await round(store, 20 * i)
    const used = growingArenas(store.head.memory).map(({ usedWords }) => usedWords)
    for (let i = 4; i < 10; i++) {
      await store.close()
      store = openBy('state', directory)
      await round(store, 20 * i)
    }
    for (const [i, arena] of growingArenas(store.head.memory).entries()) expect(arena.usedWords).toBeLessThan(1.5 * used[i]! + 4096)
    await store.close()
  })

  it('keeps a series that no commit has written, and the counters begin as after the reading of a log', async () => {
    const store = open(directory)
    store.head.refByLabels(Labels.from({ __name__: 'new' }))
    store.head.append(store.head.refByLabels(Labels.from({ __name__: 'old' })), 1000, 0, 0)
    store.head.rollback()
    await store.close()
    const again = openBy('state', directory)
    expect([again.head.seriesCount, again.wal.references.highest]).toEqual([2, 2])
    const { seriesCreated, chunksCreated, samplesAppended } = again.head.counters
    expect([seriesCreated, chunksCreated, samplesAppended]).toEqual([2, 0, 0])
    expect(again.head.append(again.head.refByLabels(Labels.from({ __name__: 'new' })), 1000, 0, 0)).toBe(0)
    again.head.commit()
    expect(again.head.places).toBe(2)
    await again.close()
  })

  it('has cut what a block has that was written just before the stop', async () => {
    const store = open(directory)
    const clock = { nowMs: 5 * rangeMs }
    await apply(store, [{ kind: 'floats', series: 1, count: 150, value: 6 }], clock)
    // The head never hears of it, as if the process had been stopped then.
    store.head.dropBefore = () => 0
    await store.compactor.run()
    const want = contentsOf(store)
    const { maxTimeMs } = store.blocks
    expect(store.head.memory.minTime).toBeLessThan(maxTimeMs)
    await store.close()
    const again = openBy('state', directory)
    expect(again.head.memory.minTime).toBeGreaterThanOrEqual(maxTimeMs)
    expect(contentsOf(again)).toEqual(want)
    await again.close()
  })
})
