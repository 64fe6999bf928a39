import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { SampleColumns } from '@narthex/model/sample-columns'
import { silentLogger } from '@narthex/service/logger'
import { gaugeHistogram, unknownReset } from '../chunk/chunk-encoding.ts'
import { decodeChunk } from '../chunk/decode-chunk.ts'
import { HistogramColumns } from '../chunk/histogram-columns.ts'
import { describeHistogram, HistogramWalk, makeDice } from '../chunk/testdata/histogram-walk.ts'
import { duplicateSample, outOfOrder, tooOld } from '../head/append-result.ts'
import { Head } from '../head/head.ts'
import { openStore } from '../open-store.ts'
import { BlockShelf } from '../select/block-shelf.ts'
import { HeadReader } from '../select/head-reader.ts'
import { MergedQueryable } from '../select/merged-queryable.ts'
import type { Queryable } from '../select/queryable.ts'
import type { Store } from '../store.ts'
import { checkpointFiles } from '../wal/checkpoint-files.ts'
import { readSegment } from '../wal/read-segments.ts'
import { RecordEntries } from '../wal/record-entries.ts'
import type { CompactionTask } from './compaction-protocol.ts'
import { doCompaction } from './compaction-work.ts'

const rangeMs = 10_000
const windowMs = 25_000
const all = [new Matcher('=', '__name__', 'm')]
let directory = ''
let store: Store
/** Before and after each. */
let onTask: (task: CompactionTask) => void = () => {}
let failing: (task: CompactionTask) => boolean = () => false

function open(memoryBytesMax = 64 * 2 ** 20): void {
  store = openStore({
    directory,
    chunkRangeMs: rangeMs,
    maxBlockRangeMs: 9 * rangeMs,
    memoryBytesMax,
    retentionMs: 1e9,
    outOfOrderWindowMs: windowMs,
    customBuckets: true,
    now: () => 1e9,
    log: silentLogger,
    thread: {
      async run(task) {
        onTask(task)
        if (failing(task)) return { kind: 'failed', reason: 'no room', isDamage: false }
        const answer = await doCompaction(task)
        onTask(task)
        return answer
      },
      end: () => Promise.resolve(),
    },
  })
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-late-histograms-'))
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

function refOf(series: string): number {
  return store.head.refByLabels(Labels.from({ __name__: 'm', series }))
}

/** One of `count` observations: with other counts it has other buckets. */
function makeHistogram(count: number, options: { isFloat?: boolean; isGauge?: boolean; isCustom?: boolean } = {}): NativeHistogram {
  const { isFloat = false, isGauge = false, isCustom = false } = options
  return {
    schema: isCustom ? -53 : 1,
    isFloat,
    count: count + 1,
    sum: count / 2,
    zeroThreshold: isCustom ? 0 : 2 ** -128,
    zeroCount: 0,
    positiveSpans: [{ offset: count % 3, length: 2 }],
    negativeSpans: [],
    positiveDeltas: isFloat ? [] : [count, 1 - count],
    negativeDeltas: [],
    positiveCounts: isFloat ? [count, 1] : [],
    negativeCounts: [],
    customValues: isCustom ? [1, 2, 3, 4] : [],
    isGauge,
  }
}

function append(series: string, timeMs: number, what: NativeHistogram | number | 'stale'): number {
  const { head } = store
  if (what === 'stale') return head.appendStaleHistogram(refOf(series), timeMs, false)
  if (typeof what === 'object') return head.appendHistogram(refOf(series), timeMs, what)
  const words = new Uint32Array(2)
  new Float64Array(words.buffer)[0] = what
  return head.append(refOf(series), timeMs, words[0]!, words[1]!)
}

/** Histograms of as many observations as the time says. */
function put(series: string, ...times: number[]): void {
  for (const timeMs of times) expect(append(series, timeMs, makeHistogram(timeMs))).toBe(0)
  store.head.commit()
}

type Found = Record<string, [timeMs: number, text: string][]>

function textOf(what: NativeHistogram | number | 'stale'): string {
  return typeof what === 'object' ? describeHistogram(what) : String(what)
}

function describeColumns(floats: SampleColumns, histograms: HistogramColumns): [number, string][] {
  const samples = Array.from({ length: floats.length }, (_, i): [number, string] => [floats.times[i]!, String(floats.values[i])])
  for (let i = 0; i < histograms.length; i++) {
    samples.push([histograms.times[i]!, histograms.isStale(i) ? 'stale' : describeHistogram(histograms.histogram(i))])
    if (i > 0) expect(histograms.times[i]).toBeGreaterThan(histograms.times[i - 1]!)
  }
  return samples.sort(([one], [other]) => one - other)
}

/** What there is, the same as samples and as chunks. */
function readFrom(source: Queryable, minTimeMs: number, maxTimeMs: number): Found {
  const found: Found = {}
  for (const set = source.select(all, minTimeMs, maxTimeMs); set.next();) {
    const floats = new SampleColumns()
    const histograms = new HistogramColumns()
    set.samples(floats)
    set.histograms?.(histograms)
    const samples = describeColumns(floats, histograms)
    const columns = { floats: new SampleColumns(), histograms: new HistogramColumns() }
    // Undefined: those of head and blocks overlap.
    const chunks = set.chunks?.()
    for (const chunk of chunks ?? []) decodeChunk(chunk.encoding, chunk.data, columns)
    if (chunks !== undefined) expect(describeColumns(columns.floats, columns.histograms)).toEqual(samples)
    if (samples.length > 0) found[set.labels().get('series')] = samples
  }
  return found
}

function read(minTimeMs = -Infinity, maxTimeMs = Infinity): Found {
  const descriptor = store.head.descriptor()
  const head = new HeadReader(descriptor)
  head.deletions = store.head.deletions.view
  const shelf = new BlockShelf(2 ** 20, (path, reason) => expect(`${path} ${reason}`).toBe(''))
  shelf.list(store.blocks.shelf)
  const found = readFrom(new MergedQueryable([...shelf.queryables(), head]), minTimeMs, maxTimeMs)
  head.release()
  store.head.releaseReader(descriptor)
  shelf.close()
  return found
}

function times(series: string, minTimeMs?: number, maxTimeMs?: number): number[] {
  return (read(minTimeMs, maxTimeMs)[series] ?? []).map(([timeMs, text]) => {
    expect(text).toBe(describeHistogram(makeHistogram(timeMs)))
    return timeMs
  })
}

function wblSegments(): string[] {
  return readdirSync(join(directory, 'wbl'))
}

/** Floats in order, so that the ranges before are cut. */
function fill(fromMs: number, toMs: number): void {
  for (let timeMs = fromMs; timeMs <= toMs; timeMs += 1000) expect(append('clock', timeMs, timeMs)).toBe(0)
  store.head.commit()
}

/** The types of the records, and the times in them. */
function readLog(name: string): [type: number, times: number[]][] {
  const found: [number, number[]][] = []
  readSegment(join(directory, name, '00000000'), true, new RecordEntries(), (type, _record, { times: each, length }) => {
    if (type !== 1 && type !== 128) found.push([type, [...each.subarray(0, length)]])
  })
  return found
}

describe('late histograms', () => {
  const kinds: [timeMs: number, what: NativeHistogram | number | 'stale'][] = [
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
    for (const [timeMs, what] of kinds) expect(append('a', timeMs, what)).toBe(0)
    expect(read()).toEqual({})
    store.head.commit()
    const want = { a: kinds.map(([timeMs, what]): [number, string] => [timeMs, textOf(what)]).sort(([a], [b]) => a - b) }
    expect(read()).toEqual(want)
    const late = [
      [2, [22_000]],
      [7, [12_000, 15_000, 30_500, 21_000]],
      [9, [13_000]],
      [8, [20_000]],
      [10, [14_000]],
    ]
    expect(readLog('wbl')).toEqual(late)
    expect(readLog('wal')).toEqual([[7, [30_000, 31_000]], ...late])
    expect(store.head.counters).toMatchObject({
      samplesAppended: 10,
      histogramsAppended: 9,
      lateAppended: 1,
      lateHistogramsAppended: 7,
      histogramsOutOfOrder: 0,
    })
    await restart()
    expect(read()).toEqual(want)
    expect(append('a', 12_500, makeHistogram(9))).toBe(0)
    store.head.commit()
    await restart()
    want.a.push([12_500, textOf(makeHistogram(9))])
    want.a.sort(([a], [b]) => a - b)
    expect(read()).toEqual(want)
    expect(read(12_400, 13_000)).toEqual({ a: want.a.slice(1, 3) })
  })

  it('go into blocks of their own ranges when these are cut, and the log of them is cut down', async () => {
    fill(0, 27_000)
    await store.compactor.run()
    put('a', 9000, 8000, 12_000, 3000)
    put('b', 26_000, 24_500, 9500)
    expect(wblSegments()).toEqual(['00000000'])
    const { usedBytes } = store.head.memory.late
    fill(28_000, 46_000)
    await store.compactor.run()
    expect(wblSegments()).toEqual(['00000001'])
    expect(store.head.late.samples.isEmpty).toBe(true)
    expect(store.head.memory.late.usedBytes).toBeLessThan(usedBytes)
    expect(store.blocks.blocks.every(({ meta }) => meta.compaction.hints === undefined)).toBe(true)
    expect(times('a')).toEqual([3000, 8000, 9000, 12_000])
    expect(times('b')).toEqual([9500, 24_500, 26_000])
    await restart()
    expect(times('a')).toEqual([3000, 8000, 9000, 12_000])
    expect(times('b')).toEqual([9500, 24_500, 26_000])
  })

  it('of a range that is not cut yet go on in the head and its log', async () => {
    fill(0, 24_000)
    put('a', 20_500, 11_500, 500, 20_400)
    put('b', 24_000, 21_500, 19_999)
    fill(25_000, 26_000)
    await store.compactor.run()
    expect(store.blocks.maxTimeMs).toBe(20_000)
    expect(store.head.late.samples.histograms.isEmpty).toBe(false)
    expect(store.head.counters).toMatchObject({ lateHistogramsAppended: 5, histogramsAppended: 7 })
    for (let round = 0; round < 2; round++) {
      expect(times('a')).toEqual([500, 11_500, 20_400, 20_500])
      expect(times('b')).toEqual([19_999, 21_500, 24_000])
      await restart()
    }
  })

  it('stay when their block cannot be written, and the next time go on', async () => {
    fill(0, 27_000)
    put('a', 26_000, 9000, 12_000)
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
    await restart()
    expect(times('a')).toEqual([9000, 12_000, 25_000, 26_000])
  })

  it('are all there after a crash at any step of a cut', async () => {
    fill(0, 27_000)
    await store.compactor.run()
    put('a', 26_000, 9000, 12_000, 24_500)
    put('b', 9500, 29_000, 31_500, 28_500)
    const want = read()
    const copies: string[] = []
    const copy = (step: string): void => {
      const to = `${directory}-${copies.length}`
      cpSync(directory, to, { recursive: true })
      copies.push(`${to} ${step}`)
    }
    onTask = ({ kind }) => copy(kind)
    const remove = vi.spyOn(checkpointFiles, 'remove').mockImplementation(async (path) => {
      copy(`remove ${path}`)
      await rm(path, { recursive: true })
      copy(`removed ${path}`)
    })
    fill(32_000, 36_000)
    const clock = read()['clock']!
    await store.compactor.run()
    onTask = () => {}
    remove.mockRestore()
    copy('end')
    expect(copies.filter((each) => each.includes('wbl')).length).toBe(2)
    expect(copies.length).toBeGreaterThan(8)
    const own = [directory, store] as const
    for (const each of copies) {
      directory = each.slice(0, each.indexOf(' '))
      open()
      const found = read()
      await store.close()
      rmSync(directory, { recursive: true })
      expect([each, found]).toEqual([each, { ...want, clock }])
    }
    ;[directory, store] = own
  })

  it('are deleted like others, also after a restart and a cut', async () => {
    fill(0, 14_000)
    put('a', 14_000, 3000, 4000, 5000)
    await store.admin.deleteSeries([[new Matcher('=', 'series', 'a')]], 3500, 4500)
    expect(times('a')).toEqual([3000, 5000, 14_000])
    await restart()
    expect(times('a')).toEqual([3000, 5000, 14_000])
    fill(15_000, 36_000)
    await store.compactor.run()
    expect(times('a')).toEqual([3000, 5000, 14_000])
  })

  it('are in a snapshot with the head', async () => {
    put('a', 20_000, 5000)
    const snapshot = join(directory, 'snapshots', await store.admin.snapshot(true))
    const shelf = new BlockShelf(2 ** 20, (path) => expect(path).toBe(''))
    shelf.list([{ directory: join(snapshot, readdirSync(snapshot)[0]!), minTimeMs: -1e9, maxTimeMs: 1e9, deletions: 0 }])
    const found = readFrom(new MergedQueryable([...shelf.queryables()]), -Infinity, Infinity)
    expect(found['a']!.map(([timeMs]) => timeMs)).toEqual([5000, 20_000])
    shelf.close()
  })

  it('keep their series in the head when it has no other sample', async () => {
    fill(0, 16_000)
    await store.compactor.run()
    put('b', 2000)
    while (store.head.collectSeries());
    expect(times('b', 2000, 2000)).toEqual([2000])
    expect(times('b', 2001)).toEqual([])
    const reader = new HeadReader(store.head.descriptor())
    expect(reader.labelValues('series', all, 2000, 2000)).toContain('b')
  })

  it('take what was known of resets from all around them, in the head and in blocks', async () => {
    const hintsOf = (series: string): number[] => {
      const descriptor = store.head.descriptor()
      const shelf = new BlockShelf(2 ** 20, () => {})
      shelf.list(store.blocks.shelf)
      const set = new MergedQueryable([...shelf.queryables(), new HeadReader(descriptor)]).select(
        [new Matcher('=', 'series', series)],
        -Infinity,
        Infinity,
      )
      expect(set.next()).toBe(true)
      const histograms = new HistogramColumns()
      set.histograms?.(histograms)
      store.head.releaseReader(descriptor)
      shelf.close()
      return [...histograms.hints.subarray(0, histograms.length)]
    }
    put('a', 9000, 9001, 9002)
    expect(hintsOf('a')).not.toEqual([unknownReset, unknownReset, unknownReset])
    put('a', 8500, 5000)
    expect(append('g', 9000, makeHistogram(1, { isGauge: true }))).toBe(0)
    expect(append('g', 8000, makeHistogram(2, { isGauge: true }))).toBe(0)
    store.head.commit()
    expect(hintsOf('a')).toEqual(new Array<number>(5).fill(unknownReset))
    expect(hintsOf('g')).toEqual([gaugeHistogram, gaugeHistogram])
    fill(10_000, 36_000)
    await store.compactor.run()
    expect(store.head.late.samples.isEmpty).toBe(true)
    // The chunk that was written says what it found: 5000 before 8500 is no reset.
    expect(hintsOf('a')[0]).toBe(unknownReset)
    expect(times('a')).toEqual([5000, 8500, 9000, 9001, 9002])
  })

  it('are forgotten by a rollback, with their memory', () => {
    put('a', 20_000, 21_000, 5000)
    const { usedBytes } = store.head.memory.late
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < 40; i++) expect(append('a', 6000 + i, makeHistogram(i))).toBe(0)
      store.head.rollback()
      store.head.reclaim()
    }
    expect(times('a')).toEqual([5000, 20_000, 21_000])
    expect(store.head.memory.late.usedBytes).toBe(usedBytes)
    put('a', 6000)
    expect(times('a')).toEqual([5000, 6000, 20_000, 21_000])
  })

  it('go into blocks before the head is cut when they take much memory', async () => {
    await store.close()
    open(16 * 2 ** 20)
    fill(0, 16_000)
    await store.compactor.run()
    const refs = Array.from({ length: 200 }, (_, i) => refOf(`s${i}`))
    for (let from = 0; from < 150; from++) {
      for (const ref of refs) expect(store.head.appendHistogram(ref, 1000 + from, makeHistogram(from))).toBe(0)
      store.head.commit()
    }
    expect(store.head.memory.late.usedBytes).toBeGreaterThan(2 * 2 ** 20)
    await store.compactor.run()
    expect(store.head.late.samples.isEmpty).toBe(true)
    expect(store.head.memory.late.usedBytes).toBeLessThan(2 * 2 ** 20)
    expect(read()['s77']!.length).toBe(150)
  })
})

describe('the window for histograms', () => {
  it('takes its oldest one and refuses the next older one', () => {
    fill(100_000, 100_000)
    expect(append('a', 100_000 - windowMs, makeHistogram(1))).toBe(0)
    expect(append('a', 100_000 - windowMs - 1, makeHistogram(1))).toBe(tooOld)
    store.head.commit()
    expect(store.head.counters).toMatchObject({ lateHistogramsAppended: 1, tooOld: 1, histogramsTooOld: 1, outOfOrder: 0 })
  })

  it('is closed for scrapes and rules when the configuration has none', () => {
    store.setOutOfOrderWindow(undefined)
    put('a', 10_000_000)
    store.head.beginOwn()
    expect(append('a', 9_999_000, makeHistogram(1))).toBe(outOfOrder)
    store.head.commit()
    expect(append('a', 9_999_000, makeHistogram(1))).toBe(0)
    expect(append('a', 10_000_000 - 1_800_001, makeHistogram(1))).toBe(tooOld)
    store.setOutOfOrderWindow(0)
    expect(append('a', 9_998_000, makeHistogram(1))).toBe(outOfOrder)
    expect(store.head.counters).toMatchObject({ histogramsOutOfOrder: 2, histogramsTooOld: 1 })
  })

  it('takes one again that is there already, in order or late, and refuses another one or a float', () => {
    put('a', 20_000, 21_000, 22_000)
    put('a', 20_500)
    expect(append('a', 23_000, 1)).toBe(0)
    expect(append('a', 24_000, 1)).toBe(0)
    expect(append('a', 23_500, 1)).toBe(0)
    expect(append('a', 20_600, makeHistogram(20_600))).toBe(0)
    for (let round = 0; round < 2; round++) {
      for (const time of [20_000, 20_500, 20_600, 21_000]) {
        expect(append('a', time, makeHistogram(time))).toBe(0)
        expect(append('a', time, makeHistogram(7))).toBe(duplicateSample)
        expect(append('a', time, makeHistogram(time, { isFloat: true }))).toBe(duplicateSample)
        // As in Prometheus, a gauge is the same.
        expect(append('a', time, makeHistogram(time, { isGauge: true }))).toBe(0)
        expect(append('a', time, 'stale')).toBe(duplicateSample)
        expect(append('a', time, 1)).toBe(duplicateSample)
      }
      // Of floats: a late one, one in order, and the newest one.
      for (const time of [23_500, 23_000, 24_000]) expect(append('a', time, makeHistogram(1))).toBe(duplicateSample)
      store.head.commit()
    }
    expect(store.head.counters).toMatchObject({ lateHistogramsAppended: 2, lateAppended: 1 })
    expect(read()['a']!.map(([timeMs]) => timeMs)).toEqual([20_000, 20_500, 20_600, 21_000, 22_000, 23_000, 23_500, 24_000])
  })

  it('knows a histogram again whose buckets come in another layout', () => {
    // In order it stands in a chunk that has the buckets of all, late as it came.
    put('a', 20_000, 20_001, 20_002, 5000)
    for (const timeMs of [5000, 20_000]) {
      const { positiveDeltas, positiveSpans, ...rest } = makeHistogram(timeMs)
      const spans = [{ offset: positiveSpans[0]!.offset, length: 4 }]
      const again = { ...rest, positiveSpans: spans, positiveDeltas: [...positiveDeltas, -1, 0] }
      expect(append('a', timeMs, again)).toBe(0)
      const more = { ...again, count: timeMs + 2, positiveDeltas: [...positiveDeltas, 0, -1] }
      expect(append('a', timeMs, more)).toBe(duplicateSample)
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
      await store.close()
      rmSync(directory, { recursive: true })
      directory = mkdtempSync(join(tmpdir(), 'narthex-late-histograms-'))
      open()
      const walk = new HistogramWalk(makeDice(seed), seed % 5 === 0)
      type Sample = readonly [series: string, timeMs: number, what: NativeHistogram | number | 'stale']
      const model = new Map<string, Map<number, string>>()
      let pending: Sample[] = []
      let last: Sample | undefined
      let nowMs = 50_000
      const commit = (): void => {
        store.head.commit()
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
          const newestMs = Math.max(store.head.memory.maxTime, store.head.cutBeforeMs)
          const what = each.of === 'float' ? timeMs % 3 : each.of === 'histogram' ? walk.next() : each.of
          const result = append(each.series, timeMs, what)
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
          if (result === 0 && known !== undefined && known !== textOf(what)) expect(timeMs).toBeLessThan(store.head.cutBeforeMs)
        } else if (each.kind === 'again') {
          const isThere = last !== undefined && pending.includes(last)
          if (isThere) expect(append(...last!)).toBe(0)
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
