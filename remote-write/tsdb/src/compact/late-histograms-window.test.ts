import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { HistogramWalk, makeDice } from '../chunk/testdata/histogram-walk.ts'
import { duplicateSample, outOfOrder, tooOld } from '../head/append-result.ts'
import { Head } from '../head/head.ts'
import { LateTrial, makeHistogram, textOf, windowMs } from './late-histograms.test-store.ts'
import type { What } from './late-histograms.test-store.ts'

let trial: LateTrial

beforeEach(() => {
  trial = new LateTrial()
})
afterEach(() => trial.remove())

describe('the window for histograms', () => {
  it('takes its oldest one and refuses the next older one', () => {
    trial.fill(100_000, 100_000)
    expect(trial.append('a', 100_000 - windowMs, makeHistogram(1))).toBe(0)
    expect(trial.append('a', 100_000 - windowMs - 1, makeHistogram(1))).toBe(tooOld)
    trial.store.head.commit()
    expect(trial.store.head.counters).toMatchObject({ lateHistogramsAppended: 1, tooOld: 1, histogramsTooOld: 1, outOfOrder: 0 })
  })

  it('is closed for scrapes and rules when the configuration has none', () => {
    trial.store.setOutOfOrderWindow(undefined)
    trial.put('a', 10_000_000)
    trial.store.head.beginOwn()
    expect(trial.append('a', 9_999_000, makeHistogram(1))).toBe(outOfOrder)
    trial.store.head.commit()
    expect(trial.append('a', 9_999_000, makeHistogram(1))).toBe(0)
    expect(trial.append('a', 10_000_000 - 1_800_001, makeHistogram(1))).toBe(tooOld)
    trial.store.setOutOfOrderWindow(0)
    expect(trial.append('a', 9_998_000, makeHistogram(1))).toBe(outOfOrder)
    expect(trial.store.head.counters).toMatchObject({ histogramsOutOfOrder: 2, histogramsTooOld: 1 })
  })

  it('takes one again that is there already, in order or late, and refuses another one or a float', () => {
    trial.put('a', 20_000, 21_000, 22_000)
    trial.put('a', 20_500)
    expect(trial.append('a', 23_000, 1)).toBe(0)
    expect(trial.append('a', 24_000, 1)).toBe(0)
    expect(trial.append('a', 23_500, 1)).toBe(0)
    expect(trial.append('a', 20_600, makeHistogram(20_600))).toBe(0)
    for (let round = 0; round < 2; round++) {
      for (const time of [20_000, 20_500, 20_600, 21_000]) {
        expect(trial.append('a', time, makeHistogram(time))).toBe(0)
        expect(trial.append('a', time, makeHistogram(7))).toBe(duplicateSample)
        expect(trial.append('a', time, makeHistogram(time, { isFloat: true }))).toBe(duplicateSample)
        // As in Prometheus, a gauge is the same.
        expect(trial.append('a', time, makeHistogram(time, { isGauge: true }))).toBe(0)
        expect(trial.append('a', time, 'stale')).toBe(duplicateSample)
        expect(trial.append('a', time, 1)).toBe(duplicateSample)
      }
      // Of floats: a late one, one in order, and the newest one.
      for (const time of [23_500, 23_000, 24_000]) expect(trial.append('a', time, makeHistogram(1))).toBe(duplicateSample)
      trial.store.head.commit()
    }
    expect(trial.store.head.counters).toMatchObject({ lateHistogramsAppended: 2, lateAppended: 1 })
    expect(trial.read()['a']!.map(([timeMs]) => timeMs)).toEqual([20_000, 20_500, 20_600, 21_000, 22_000, 23_000, 23_500, 24_000])
  })

  it('knows a histogram again whose buckets come in another layout', () => {
    // In order it stands in a chunk that has the buckets of all, late as it came.
    trial.put('a', 20_000, 20_001, 20_002, 5000)
    for (const timeMs of [5000, 20_000]) {
      const { positiveDeltas, positiveSpans, ...rest } = makeHistogram(timeMs)
      const spans = [{ offset: positiveSpans[0]!.offset, length: 4 }]
      const again = { ...rest, positiveSpans: spans, positiveDeltas: [...positiveDeltas, -1, 0] }
      expect(trial.append('a', timeMs, again)).toBe(0)
      const more = { ...again, count: timeMs + 2, positiveDeltas: [...positiveDeltas, 0, -1] }
      expect(trial.append('a', timeMs, more)).toBe(duplicateSample)
    }
  })

  it('takes none at the memory ceiling, and says so', () => {
    const head = new Head({ memoryBytesMax: 4 * 2 ** 20, now: () => 1e9 })
    head.late.windows = { receivedMs: 1e9, ownMs: 0 }
    const ref = head.refByLabels(Labels.from({ __name__: 'm' }))
    expect(head.appendHistogram(ref, 1e8, makeHistogram(1))).toBe(0)
    head.commit()
    let taken = 0
    let result = 0
    for (let timeMs = 1; result === 0; timeMs++) {
      result = head.appendHistogram(ref, timeMs, makeHistogram(timeMs))
      if (result === 0) taken++
      if (timeMs % 100 === 0) head.commit()
    }
    head.commit()
    expect(result).toBe(7)
    expect(head.usedBytes).toBeLessThanOrEqual(4 * 2 ** 20)
    expect(head.counters.lateHistogramsAppended).toBe(taken)
    expect(taken).toBeGreaterThan(10_000)
  })
})

type Kind = 'float' | 'histogram' | 'stale'
type Step =
  | { readonly kind: 'append'; readonly series: string; readonly backMs: number; readonly of: Kind }
  | { readonly kind: 'commit' | 'rollback' | 'compact' | 'restart' | 'fail' | 'tick' | 'again' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      series: fc.constantFrom('a', 'b', 'c'),
      backMs: fc.oneof(
        fc.constant(0),
        fc.integer({ min: 0, max: 36 }).map((n) => n * 750),
      ),
      of: fc.constantFrom<Kind>('float', 'histogram', 'histogram', 'histogram', 'stale'),
    }),
  },
  { weight: 6, arbitrary: fc.constant({ kind: 'tick' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'again' as const }) },
  { weight: 5, arbitrary: fc.constant({ kind: 'commit' as const }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ kind: 'rollback' }, { kind: 'compact' }, { kind: 'restart' }, { kind: 'fail' }) },
)

it('floats and histograms in any order, cut and read again after restarts: there is what was accepted, once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 120 }), fc.integer({ min: 1, max: 1e6 }), async (steps, seed) => {
      await trial.store.close()
      rmSync(trial.directory, { recursive: true })
      trial.directory = mkdtempSync(join(tmpdir(), 'narthex-late-histograms-'))
      trial.open()
      const walk = new HistogramWalk(makeDice(seed), seed % 5 === 0)
      type Sample = readonly [series: string, timeMs: number, what: What]
      const model = new Map<string, Map<number, string>>()
      let pending: Sample[] = []
      let last: Sample | undefined
      let nowMs = 50_000
      const commit = (): void => {
        trial.store.head.commit()
        for (const [series, timeMs, what] of pending) {
          const samples = model.get(series) ?? new Map<number, string>()
          const known = samples.get(timeMs)
          // Of what blocks have it is not known: of two kinds the float counts.
          const counts = known === undefined || (typeof what === 'number' && isNaN(Number(known))) ? textOf(what) : known
          model.set(series, samples.set(timeMs, counts))
        }
        pending = []
      }
      for (const each of steps) {
        if (each.kind === 'append') {
          const timeMs = nowMs - each.backMs
          const newestMs = Math.max(trial.store.head.memory.maxTime, trial.store.head.cutBeforeMs)
          const what = each.of === 'float' ? timeMs % 3 : each.of === 'histogram' ? walk.next() : each.of
          const result = trial.append(each.series, timeMs, what)
          const waiting = pending.find(([series, time]) => series === each.series && time === timeMs)?.[2]
          const known = model.get(each.series)?.get(timeMs) ?? (waiting === undefined ? undefined : textOf(waiting))
          last = [each.series, timeMs, what]
          if (result === 0) pending.push(last)
          else if (result === duplicateSample) expect(known).not.toBe(textOf(what))
          else {
            expect(result).toBe(tooOld)
            expect(timeMs).toBeLessThan(newestMs - windowMs)
          }
          // Blocks do not say so, and what they have stays.
          if (result === 0 && known !== undefined && known !== textOf(what)) expect(timeMs).toBeLessThan(trial.store.head.cutBeforeMs)
        } else if (each.kind === 'again') {
          const isThere = last !== undefined && pending.includes(last)
          if (isThere) expect(trial.append(...last!)).toBe(0)
        } else if (each.kind === 'tick') nowMs += 1500
        else if (each.kind === 'rollback') {
          trial.store.head.rollback()
          pending = []
        } else if (each.kind === 'commit') commit()
        else {
          commit()
          let count = 0
          if (each.kind === 'fail') trial.failing = (task) => task.kind === 'cut' && count++ % 2 === 1
          await trial.store.compactor.run()
          trial.failing = () => false
          if (each.kind === 'restart') await trial.restart()
        }
      }
      commit()
      const want = Object.fromEntries([...model].map(([series, samples]) => [series, [...samples].sort((one, other) => one[0] - other[0])]))
      expect(trial.read()).toEqual(want)
      await trial.store.compactor.run()
      expect(trial.read()).toEqual(want)
      await trial.restart()
      expect(trial.read()).toEqual(want)
    }),
    { numRuns: Number(process.env['NARTHEX_RUNS'] ?? 5) },
  )
})
