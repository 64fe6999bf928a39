import { cpSync, readdirSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Matcher } from '@narthex/model/matcher'
import { gaugeHistogram, unknownReset } from '@narthex/model/reset-hint'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { BlockShelf } from '../select/block-shelf.ts'
import { HeadReader } from '../select/head-reader.ts'
import { MergedQueryable } from '../select/merged-queryable.ts'
import { checkpointFiles } from '../wal/checkpoint-files.ts'
import { all, LateTrial, makeHistogram, readFrom, textOf } from './late-histograms.test-store.ts'
import type { What } from './late-histograms.test-store.ts'

let trial: LateTrial

beforeEach(() => {
  trial = new LateTrial()
})
afterEach(() => trial.remove())

describe('late histograms', () => {
  const kinds: [timeMs: number, what: What][] = [
    [30_000, makeHistogram(7)],
    [31_000, makeHistogram(8)],
    [20_000, makeHistogram(1, { isFloat: true })],
    [12_000, makeHistogram(2)],
    [15_000, makeHistogram(3, { isGauge: true })],
    [13_000, makeHistogram(4, { isCustom: true })],
    [14_000, makeHistogram(5, { isCustom: true, isFloat: true })],
    [30_500, makeHistogram(6)],
    [21_000, 'stale'],
    [22_000, 4.5],
  ]

  it('of all kinds are there after a restart, each once, and in both logs as what they are', async () => {
    for (const [timeMs, what] of kinds) expect(trial.append('a', timeMs, what)).toBe(0)
    expect(trial.read()).toEqual({})
    trial.store.head.commit()
    const want = { a: kinds.map(([timeMs, what]): [number, string] => [timeMs, textOf(what)]).sort(([a], [b]) => a - b) }
    expect(trial.read()).toEqual(want)
    const late = [
      [2, [22_000]],
      [7, [12_000, 15_000, 30_500, 21_000]],
      [9, [13_000]],
      [8, [20_000]],
      [10, [14_000]],
    ]
    expect(trial.readLog('wbl')).toEqual(late)
    expect(trial.readLog('wal')).toEqual([[7, [30_000, 31_000]], ...late])
    expect(trial.store.head.counters).toMatchObject({
      samplesAppended: 10,
      histogramsAppended: 9,
      lateAppended: 1,
      lateHistogramsAppended: 7,
      histogramsOutOfOrder: 0,
    })
    await trial.restart()
    expect(trial.read()).toEqual(want)
    expect(trial.append('a', 12_500, makeHistogram(9))).toBe(0)
    trial.store.head.commit()
    await trial.restart()
    want.a.push([12_500, textOf(makeHistogram(9))])
    want.a.sort(([a], [b]) => a - b)
    expect(trial.read()).toEqual(want)
    expect(trial.read(12_400, 13_000)).toEqual({ a: want.a.slice(1, 3) })
  })

  it('go into blocks of their own ranges when these are cut, and the log of them is cut down', async () => {
    trial.fill(0, 27_000)
    await trial.store.compactor.run()
    trial.put('a', 9000, 8000, 12_000, 3000)
    trial.put('b', 26_000, 24_500, 9500)
    expect(trial.wblSegments()).toEqual(['00000000'])
    const { usedBytes } = trial.store.head.memory.late
    trial.fill(28_000, 46_000)
    await trial.store.compactor.run()
    expect(trial.wblSegments()).toEqual(['00000001'])
    expect(trial.store.head.late.samples.isEmpty).toBe(true)
    expect(trial.store.head.memory.late.usedBytes).toBeLessThan(usedBytes)
    expect(trial.store.blocks.blocks.every(({ meta }) => meta.compaction.hints === undefined)).toBe(true)
    expect(trial.times('a')).toEqual([3000, 8000, 9000, 12_000])
    expect(trial.times('b')).toEqual([9500, 24_500, 26_000])
    await trial.restart()
    expect(trial.times('a')).toEqual([3000, 8000, 9000, 12_000])
    expect(trial.times('b')).toEqual([9500, 24_500, 26_000])
  })

  it('of a range that is not cut yet go on in the head and its log', async () => {
    trial.fill(0, 24_000)
    trial.put('a', 20_500, 11_500, 500, 20_400)
    trial.put('b', 24_000, 21_500, 19_999)
    trial.fill(25_000, 26_000)
    await trial.store.compactor.run()
    expect(trial.store.blocks.maxTimeMs).toBe(20_000)
    expect(trial.store.head.late.samples.histograms.isEmpty).toBe(false)
    expect(trial.store.head.counters).toMatchObject({ lateHistogramsAppended: 5, histogramsAppended: 7 })
    for (let round = 0; round < 2; round++) {
      expect(trial.times('a')).toEqual([500, 11_500, 20_400, 20_500])
      expect(trial.times('b')).toEqual([19_999, 21_500, 24_000])
      await trial.restart()
    }
  })

  it('stay when their block cannot be written, and the next time go on', async () => {
    trial.fill(0, 27_000)
    trial.put('a', 26_000, 9000, 12_000)
    trial.failing = (task) => task.kind === 'cut' && task.request.late === 'only'
    trial.fill(28_000, 36_000)
    await trial.store.compactor.run()
    expect(trial.store.compactor.counts.failed).toBeGreaterThan(0)
    expect(trial.times('a')).toEqual([9000, 12_000, 26_000])
    trial.put('a', 25_000)
    trial.failing = () => false
    trial.fill(37_000, 46_000)
    await trial.store.compactor.run()
    expect(trial.times('a')).toEqual([9000, 12_000, 25_000, 26_000])
    await trial.restart()
    expect(trial.times('a')).toEqual([9000, 12_000, 25_000, 26_000])
  })

  it('are all there after a crash at any step of a cut', async () => {
    trial.fill(0, 27_000)
    await trial.store.compactor.run()
    trial.put('a', 26_000, 9000, 12_000, 24_500)
    trial.put('b', 9500, 29_000, 31_500, 28_500)
    const want = trial.read()
    const copies: string[] = []
    const copy = (step: string): void => {
      const to = `${trial.directory}-${copies.length}`
      cpSync(trial.directory, to, { recursive: true })
      copies.push(`${to} ${step}`)
    }
    trial.onTask = ({ kind }) => copy(kind)
    const remove = vi.spyOn(checkpointFiles, 'remove').mockImplementation(async (path) => {
      copy(`remove ${path}`)
      await rm(path, { recursive: true })
      copy(`removed ${path}`)
    })
    trial.fill(32_000, 36_000)
    const clock = trial.read()['clock']!
    await trial.store.compactor.run()
    trial.onTask = () => {}
    remove.mockRestore()
    copy('end')
    expect(copies.filter((each) => each.includes('wbl')).length).toBe(2)
    expect(copies.length).toBeGreaterThan(8)
    const own = [trial.directory, trial.store] as const
    for (const each of copies) {
      trial.directory = each.slice(0, each.indexOf(' '))
      trial.open()
      const found = trial.read()
      await trial.store.close()
      rmSync(trial.directory, { recursive: true })
      expect([each, found]).toEqual([each, { ...want, clock }])
    }
    ;[trial.directory, trial.store] = own
  })

  it('are deleted like others, also after a restart and a cut', async () => {
    trial.fill(0, 14_000)
    trial.put('a', 14_000, 3000, 4000, 5000)
    await trial.store.admin.deleteSeries([[new Matcher('=', 'series', 'a')]], 3500, 4500)
    expect(trial.times('a')).toEqual([3000, 5000, 14_000])
    await trial.restart()
    expect(trial.times('a')).toEqual([3000, 5000, 14_000])
    trial.fill(15_000, 36_000)
    await trial.store.compactor.run()
    expect(trial.times('a')).toEqual([3000, 5000, 14_000])
  })

  it('are in a snapshot with the head', async () => {
    trial.put('a', 20_000, 5000)
    const snapshot = join(trial.directory, 'snapshots', await trial.store.admin.snapshot(true))
    const shelf = new BlockShelf(2 ** 20, (path) => expect(path).toBe(''))
    shelf.list([{ directory: join(snapshot, readdirSync(snapshot)[0]!), minTimeMs: -1e9, maxTimeMs: 1e9, deletions: 0 }])
    const found = readFrom(new MergedQueryable([...shelf.queryables()]), -Infinity, Infinity)
    expect(found['a']!.map(([timeMs]) => timeMs)).toEqual([5000, 20_000])
    shelf.close()
  })

  it('keep their series in the head when it has no other sample', async () => {
    trial.fill(0, 16_000)
    await trial.store.compactor.run()
    trial.put('b', 2000)
    while (trial.store.head.collectSeries());
    expect(trial.times('b', 2000, 2000)).toEqual([2000])
    expect(trial.times('b', 2001)).toEqual([])
    const reader = new HeadReader(trial.store.head.descriptor())
    expect(reader.labelValues('series', all, 2000, 2000)).toContain('b')
  })

  it('take what was known of resets from all around them, in the head and in blocks', async () => {
    const hintsOf = (series: string): number[] => {
      const descriptor = trial.store.head.descriptor()
      const shelf = new BlockShelf(2 ** 20, () => {})
      shelf.list(trial.store.blocks.shelf)
      const set = new MergedQueryable([...shelf.queryables(), new HeadReader(descriptor)]).select(
        [new Matcher('=', 'series', series)],
        -Infinity,
        Infinity,
      )
      expect(set.next()).toBe(true)
      const histograms = new HistogramColumns()
      set.histograms?.(histograms)
      trial.store.head.releaseReader(descriptor)
      shelf.close()
      return [...histograms.hints.subarray(0, histograms.length)]
    }
    trial.put('a', 9000, 9001, 9002)
    expect(hintsOf('a')).not.toEqual([unknownReset, unknownReset, unknownReset])
    trial.put('a', 8500, 5000)
    expect(trial.append('g', 9000, makeHistogram(1, { isGauge: true }))).toBe(0)
    expect(trial.append('g', 8000, makeHistogram(2, { isGauge: true }))).toBe(0)
    trial.store.head.commit()
    expect(hintsOf('a')).toEqual(new Array<number>(5).fill(unknownReset))
    expect(hintsOf('g')).toEqual([gaugeHistogram, gaugeHistogram])
    trial.fill(10_000, 36_000)
    await trial.store.compactor.run()
    expect(trial.store.head.late.samples.isEmpty).toBe(true)
    // The chunk that was written says what it found: 5000 before 8500 is no reset.
    expect(hintsOf('a')[0]).toBe(unknownReset)
    expect(trial.times('a')).toEqual([5000, 8500, 9000, 9001, 9002])
  })

  it('are forgotten by a rollback, with their memory', () => {
    trial.put('a', 20_000, 21_000, 5000)
    const { usedBytes } = trial.store.head.memory.late
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < 40; i++) expect(trial.append('a', 6000 + i, makeHistogram(i))).toBe(0)
      trial.store.head.rollback()
      trial.store.head.reclaim()
    }
    expect(trial.times('a')).toEqual([5000, 20_000, 21_000])
    expect(trial.store.head.memory.late.usedBytes).toBe(usedBytes)
    trial.put('a', 6000)
    expect(trial.times('a')).toEqual([5000, 6000, 20_000, 21_000])
  })

  it('go into blocks before the head is cut when they take much memory', async () => {
    await trial.store.close()
    trial.open(16 * 2 ** 20)
    trial.fill(0, 16_000)
    await trial.store.compactor.run()
    const refs = Array.from({ length: 20 }, (_, i) => trial.refOf(`s${i}`))
    for (let round = 0; round < 40; round++) {
      const spans = [{ offset: 0, length: 500 }]
      const counts = new Array<number>(500).fill(round + 0.1)
      const large = { ...makeHistogram(round, { isFloat: true }), positiveSpans: spans, positiveCounts: counts }
      for (const ref of refs) expect(trial.store.head.appendHistogram(ref, 1000 + round, large)).toBe(0)
      trial.store.head.commit()
    }
    expect(trial.store.head.memory.late.usedBytes).toBeGreaterThan(2 * 2 ** 20)
    await trial.store.compactor.run()
    expect(trial.store.head.late.samples.isEmpty).toBe(true)
    expect(trial.store.head.memory.late.usedBytes).toBeLessThan(2 * 2 ** 20)
    expect(trial.read()['s7']!.length).toBe(40)
  })
})
