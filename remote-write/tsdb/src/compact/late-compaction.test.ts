import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { silentLogger } from '@narthex/service/logger'
import { duplicateSample, outOfBounds, outOfOrder, tooOld } from '../head/append-result.ts'
import { BlockShelf } from '../select/block-shelf.ts'
import { HeadReader } from '../select/head-reader.ts'
import { MergedQueryable } from '../select/merged-queryable.ts'
import { openStore } from '../open-store.ts'
import type { Store } from '../store.ts'
import type { CompactionAnswer, CompactionTask } from './compaction-protocol.ts'
import { doCompaction } from './compaction-work.ts'

const rangeMs = 10_000
const windowMs = 25_000
let directory = ''
let store: Store
/** Tasks that fail, as on a full disk, before they do anything. */
let failing: (task: CompactionTask) => boolean = () => false

const thread = {
  run: (task: CompactionTask): Promise<CompactionAnswer> =>
    failing(task) ? Promise.resolve({ kind: 'failed', reason: 'no room', isDamage: false }) : doCompaction(task),
  end: (): Promise<void> => Promise.resolve(),
}

function open(memoryBytesMax = 64 * 2 ** 20): void {
  store = openStore({
    directory,
    chunkRangeMs: rangeMs,
    maxBlockRangeMs: 9 * rangeMs,
    memoryBytesMax,
    retentionMs: 1e9,
    outOfOrderWindowMs: windowMs,
    now: () => 1e9,
    log: silentLogger,
    // What is tested here is in the logs.
    keepsHeadState: false,
    thread,
  })
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-late-'))
  failing = () => false
  open()
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

async function restart(): Promise<void> {
  await store.close()
  open()
}

function append(series: string, timeMs: number, value: number): number {
  const words = new Uint32Array(2)
  new Float64Array(words.buffer)[0] = value
  return store.head.append(store.head.refByLabels(Labels.from({ __name__: 'm', series })), timeMs, words[0]!, words[1]!)
}

function put(series: string, ...times: number[]): void {
  for (const timeMs of times) expect(append(series, timeMs, timeMs)).toBe(0)
  store.head.commit()
}

type Found = Record<string, [timeMs: number, value: number][]>

function read(minTimeMs = -Infinity, maxTimeMs = Infinity): Found {
  const descriptor = store.head.descriptor()
  const head = new HeadReader(descriptor)
  head.deletions = store.head.deletions.view
  const shelf = new BlockShelf(2 ** 20, (path, reason) => expect(`${path} ${reason}`).toBe(''))
  shelf.list(store.blocks.shelf)
  const found: Found = {}
  const merged = new MergedQueryable([...shelf.queryables(), head])
  for (const set = merged.select([new Matcher('=', '__name__', 'm')], minTimeMs, maxTimeMs); set.next();) {
    const columns = new SampleColumns()
    set.samples(columns)
    const samples = Array.from({ length: columns.length }, (_, i): [number, number] => [columns.times[i]!, columns.values[i]!])
    if (samples.length > 0) found[set.labels().get('series')] = samples
  }
  head.release()
  store.head.releaseReader(descriptor)
  shelf.close()
  return found
}

function times(series: string, minTimeMs?: number, maxTimeMs?: number): number[] {
  return (read(minTimeMs, maxTimeMs)[series] ?? []).map(([timeMs]) => timeMs)
}

function hints(): string[] {
  return store.blocks.blocks.map(({ meta }) => `${meta.minTime}-${meta.maxTime} ${meta.compaction.hints?.join() ?? ''}`.trim())
}

function wblSegments(): string[] {
  return readdirSync(join(directory, 'wbl'))
}

/** Samples up to `toMs` in order, so that the ranges before are cut. */
function fill(fromMs: number, toMs: number): void {
  for (let timeMs = fromMs; timeMs <= toMs; timeMs += 1000) put('clock', timeMs)
}

describe('late samples', () => {
  it('are there after a restart, each once, and in the time order', async () => {
    put('a', 20_000, 21_000)
    put('a', 5000, 20_500, 4000)
    const want = [4000, 5000, 20_000, 20_500, 21_000]
    expect(times('a')).toEqual(want)
    await restart()
    expect(times('a')).toEqual(want)
    put('a', 4500)
    await restart()
    expect(times('a')).toEqual([4000, 4500, 5000, 20_000, 20_500, 21_000])
  })

  it('go into blocks of their own ranges when these are cut, later ones stay, and the log of them is cut down', async () => {
    fill(0, 27_000)
    await store.compactor.run()
    expect(hints()).toEqual(['0-10000', '10000-20000'])
    put('a', 9000, 8000, 12_000, 3000)
    put('clock', 2500)
    expect(wblSegments()).toEqual(['00000000'])
    fill(28_000, 36_000)
    await store.compactor.run()
    expect(wblSegments()).toEqual(['00000001'])
    expect(times('a')).toEqual([3000, 8000, 9000, 12_000])
    // What was late is merged into the block of its time.
    expect(hints().every((hint) => !hint.includes('from-out-of-order'))).toBe(true)
    expect(store.blocks.blocks.map(({ meta }) => meta.minTime)[0]).toBe(0)
    expect(store.head.late.samples.isEmpty).toBe(true)
    expect(times('clock').slice(0, 5)).toEqual([0, 1000, 2000, 2500, 3000])
    await restart()
    expect(times('a')).toEqual([3000, 8000, 9000, 12_000])
    expect(times('clock').length).toBe(38)
  })

  it('of a range that is not cut yet go on in the head and its log', async () => {
    fill(0, 24_000)
    put('clock', 500, 15_500, 16_500)
    put('a', 17_500, 11_500)
    fill(25_000, 26_000)
    await store.compactor.run()
    expect(store.blocks.maxTimeMs).toBe(20_000 > store.blocks.maxTimeMs ? 10_000 : 20_000)
    const clock = times('clock')
    expect(clock.filter((time) => time % 1000 !== 0)).toEqual([500, 15_500, 16_500])
    await restart()
    expect(times('clock')).toEqual(clock)
    expect(times('a')).toEqual([11_500, 17_500])
  })

  it('keep their series in the head when it has no other sample', async () => {
    fill(0, 14_000)
    put('a', 12_000)
    fill(15_000, 16_000)
    await store.compactor.run()
    expect(store.head.memory.minTime).toBe(10_000)
    put('b', 2000)
    expect(times('b')).toEqual([2000])
    expect(times('b', 2001)).toEqual([])
    expect(times('b', 0, 1999)).toEqual([])
    while (store.head.collectSeries());
    expect(times('b', 2000, 2000)).toEqual([2000])
    const reader = new HeadReader(store.head.descriptor())
    expect(reader.labelValues('series', [new Matcher('=', '__name__', 'm')], 2000, 2000)).toContain('b')
  })

  it('are deleted like others, also after a restart', async () => {
    fill(0, 14_000)
    put('a', 14_000, 3000, 4000, 5000)
    await store.admin.deleteSeries([[new Matcher('=', 'series', 'a')]], 3500, 4500)
    expect(times('a')).toEqual([3000, 5000, 14_000])
    await restart()
    expect(times('a')).toEqual([3000, 5000, 14_000])
    fill(15_000, 36_000)
    await store.compactor.run()
    expect(times('a')).toEqual([3000, 5000, 14_000])
    await restart()
    expect(times('a')).toEqual([3000, 5000, 14_000])
  })

  it('are in a snapshot with the head', async () => {
    put('a', 20_000, 5000)
    const name = await store.admin.snapshot(true)
    const snapshot = join(directory, 'snapshots', name)
    const shelf = new BlockShelf(2 ** 20, (path) => expect(path).toBe(''))
    const [block] = readdirSync(snapshot)
    shelf.list([{ directory: join(snapshot, block!), minTimeMs: -1e9, maxTimeMs: 1e9, deletions: 0 }])
    const set = new MergedQueryable([...shelf.queryables()]).select([new Matcher('=', 'series', 'a')], -Infinity, Infinity)
    const columns = new SampleColumns()
    expect(set.next()).toBe(true)
    set.samples(columns)
    expect(Array.from(columns.times.subarray(0, columns.length))).toEqual([5000, 20_000])
    shelf.close()
  })

  it('stay in head and log when their block cannot be written, and the next time go on', async () => {
    fill(0, 27_000)
    put('a', 9000, 12_000, 26_000)
    put('clock', 2500)
    failing = (task) => task.kind === 'cut' && task.request.late === 'only'
    fill(28_000, 36_000)
    await store.compactor.run()
    expect(store.compactor.counts.failed).toBeGreaterThan(0)
    expect(times('a')).toEqual([9000, 12_000, 26_000])
    put('a', 25_000)
    failing = () => false
    fill(37_000, 46_000)
    await store.compactor.run()
    expect(times('a')).toEqual([9000, 12_000, 25_000, 26_000])
    expect(times('clock').length).toBe(48)
    await restart()
    expect(times('a')).toEqual([9000, 12_000, 25_000, 26_000])
  })

  it('go into blocks before the head is cut when they take much memory', async () => {
    await store.close()
    open(16 * 2 ** 20)
    fill(0, 16_000)
    await store.compactor.run()
    expect(hints()).toEqual(['0-10000'])
    const refs = Array.from({ length: 1000 }, (_, i) => store.head.refByLabels(Labels.from({ __name__: 'm', series: `s${i}` })))
    for (let from = 0; from < 150; from++) {
      for (const ref of refs) store.head.append(ref, 1000 + from, 0, 0)
      store.head.commit()
    }
    expect(store.head.counters.lateAppended).toBe(150_000)
    expect(store.head.memory.late.usedBytes).toBeGreaterThan(2 * 2 ** 20)
    await store.compactor.run()
    expect(store.head.late.samples.isEmpty).toBe(true)
    expect(times('s77').length).toBe(150)
    const { usedBytes } = store.head.memory.late
    expect(usedBytes).toBeLessThan(2 * 2 ** 20)
  })
})

describe('the window', () => {
  it('takes its oldest sample and refuses the next older one', () => {
    put('clock', 100_000)
    expect(append('a', 100_000 - windowMs, 1)).toBe(0)
    expect(append('a', 100_000 - windowMs - 1, 1)).toBe(tooOld)
    store.head.commit()
    expect(store.head.counters).toMatchObject({ lateAppended: 1, tooOld: 1, outOfOrder: 0, outOfBounds: 0 })
  })

  it('is closed for scrapes and rules when the configuration has none, and half an hour for others', () => {
    store.setOutOfOrderWindow(undefined)
    put('a', 10_000_000)
    store.head.late.isOwn = true
    expect(append('a', 9_999_000, 1)).toBe(outOfOrder)
    expect(append('a', 9_990_000, 1)).toBe(outOfBounds)
    store.head.commit()
    expect(append('a', 9_999_000, 1)).toBe(0)
    expect(append('a', 10_000_000 - 1_800_000, 1)).toBe(0)
    expect(append('a', 10_000_000 - 1_800_001, 1)).toBe(tooOld)
    store.setOutOfOrderWindow(0)
    expect(append('a', 9_998_000, 1)).toBe(outOfOrder)
  })

  it('takes a sample again that is there already, in order or late, and refuses another value', () => {
    put('a', 20_000, 21_000, 22_000)
    put('a', 20_500)
    for (const time of [20_000, 20_500, 22_000]) {
      expect(append('a', time, time)).toBe(0)
      expect(append('a', time, 7)).toBe(duplicateSample)
    }
    expect(append('a', 20_600, 1)).toBe(0)
    expect(append('a', 20_600, 1)).toBe(0)
    expect(append('a', 20_600, 2)).toBe(duplicateSample)
    store.head.commit()
    expect(times('a')).toEqual([20_000, 20_500, 20_600, 21_000, 22_000])
    expect(store.head.counters).toMatchObject({ lateAppended: 2, duplicates: 4 })
  })
})

type Step =
  | { readonly kind: 'append'; readonly series: string; readonly backMs: number; readonly value: number }
  | { readonly kind: 'commit' | 'rollback' | 'compact' | 'restart' | 'fail' | 'tick' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      series: fc.constantFrom('a', 'b', 'c', 'd'),
      backMs: fc.oneof(
        fc.constant(0),
        fc.integer({ min: 0, max: 40 }).map((n) => n * 700),
      ),
      value: fc.integer({ min: 0, max: 3 }),
    }),
  },
  { weight: 6, arbitrary: fc.constant({ kind: 'tick' as const }) },
  { weight: 5, arbitrary: fc.constant({ kind: 'commit' as const }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ kind: 'rollback' }, { kind: 'compact' }, { kind: 'restart' }, { kind: 'fail' }) },
)

it('whatever is appended, taken back, cut and read again after a restart: there is what was accepted, once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 120 }), async (steps) => {
      await store.close()
      rmSync(directory, { recursive: true })
      directory = mkdtempSync(join(tmpdir(), 'narthex-late-'))
      open()
      const model = new Map<string, Map<number, number>>()
      let pending: [series: string, timeMs: number, value: number][] = []
      let nowMs = 50_000
      const commit = (): void => {
        store.head.commit()
        for (const [series, timeMs, value] of pending) {
          const samples = model.get(series) ?? new Map<number, number>()
          if (!samples.has(timeMs)) samples.set(timeMs, value)
          model.set(series, samples)
        }
        pending = []
      }
      for (const each of steps) {
        if (each.kind === 'append') {
          const timeMs = nowMs - each.backMs
          const newestMs = Math.max(store.head.memory.maxTime, store.head.cutBeforeMs)
          const result = append(each.series, timeMs, each.value)
          const known = model.get(each.series)?.get(timeMs) ?? pending.find(([s, t]) => s === each.series && t === timeMs)?.[2]
          if (result === 0) pending.push([each.series, timeMs, each.value])
          else if (result === duplicateSample) expect(known).not.toBe(each.value)
          else {
            expect(result).toBe(tooOld)
            expect(timeMs).toBeLessThan(newestMs - windowMs)
          }
        } else if (each.kind === 'tick') nowMs += 1500
        else if (each.kind === 'rollback') {
          store.head.rollback()
          pending = []
        } else if (each.kind === 'commit') commit()
        else {
          commit()
          let count = 0
          if (each.kind === 'fail') failing = (task) => task.kind === 'cut' && count++ % 2 === 1
          await store.compactor.run()
          failing = () => false
          if (each.kind === 'restart') await restart()
        }
      }
      commit()
      const want = Object.fromEntries([...model].map(([series, samples]) => [series, [...samples].sort((one, other) => one[0] - other[0])]))
      expect(read()).toEqual(want)
      await store.compactor.run()
      expect(read()).toEqual(want)
      await restart()
      expect(read()).toEqual(want)
    }),
    { numRuns: Number(process.env['NARTHEX_RUNS'] ?? 5) },
  )
})
