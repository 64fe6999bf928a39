import { BlockError } from '@narthex/tsdb/block/block-error'
import { BlockGoneError } from '@narthex/tsdb/select/block-shelf'
import { describe, expect, it } from 'vitest'
import { listSeries } from '@narthex/promql/testing/listed-series'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import type { ListRequest } from './query-protocol.ts'
import { WarmUp, type WarmUpOptions } from './warm-up.ts'

const everyMs = 15_000
const values = Array.from({ length: 500 }, (_, i) => i)
const endMs = 499 * everyMs
const storage = listSeries(everyMs, { 'a_total{job="x"}': values, 'a_total{job="y"}': values, 'b{job="x"}': values }) as Queryable
const engine = { samplesMax: 1, bytesMax: 1 }
let written = 0
let inParts: unknown[][] = []
let listed: string[] = []
const answerInParts: WarmUpOptions['answerInParts'] = async (...asked) => void inParts.push(asked)

function createWarmUp(
  toMs = endMs,
  signal = { aborted: false },
  blocks: WarmUpOptions['blocks'] = [],
  answerList: WarmUpOptions['answerList'] = ({ kind }) => void listed.push(kind),
  beginRound: WarmUpOptions['beginRound'] = () => {},
): WarmUp {
  return new WarmUp({
    engine,
    signal,
    endMs: toMs,
    write: () => void written++,
    answerInParts,
    answerList,
    beginRound,
    blocks,
    msMax: 2000,
  })
}

async function run(warmUp: WarmUp, reader = storage): Promise<number> {
  let steps = 0
  for (; !warmUp.isDone && steps < 10_000; steps++) await warmUp.step(reader)
  return steps
}

/** Counts what is asked of it. */
function watch(reader: Queryable): { reader: Queryable; selects: () => number; ranges: number[][] } {
  const ranges: number[][] = []
  const watched: Queryable = {
    select: (matchers, from, to, hints) => {
      ranges.push([from, to])
      return reader.select(matchers, from, to, hints)
    },
    labelNames: (matchers, from, to) => reader.labelNames(matchers, from, to),
    labelValues: (name, matchers, from, to) => reader.labelValues(name, matchers, from, to),
  }
  return { reader: watched, selects: () => ranges.length, ranges }
}

describe('a warm-up', () => {
  it('asks for two metrics, again and again, whatever the limits of queries are', async () => {
    const { reader, selects } = watch(storage)
    written = 0
    inParts = []
    listed = []
    const steps = await run(createWarmUp(), reader)
    expect(steps).toBeGreaterThan(30)
    expect(steps).toBeLessThanOrEqual(900)
    const queries = inParts.length
    expect(selects()).toBeGreaterThanOrEqual(2 * queries)
    // Each query over a range and at its end, and a count of each metric.
    const counts = written - 2 * queries
    expect(counts).toBeGreaterThanOrEqual(2)
    expect(listed).toHaveLength(steps - queries - counts)
    expect(new Set(listed)).toEqual(new Set(['labelNames', 'labelValues', 'series']))
    expect(inParts[0]!.slice(1)).toEqual(['sum by (job) (rate({__name__="a_total"}[5m]))', endMs - 6 * 3_600_000, endMs, 60_000])
  })

  it('opens blocks when each question was asked once', async () => {
    const { reader, ranges } = watch(storage)
    const blocks = [5000, 4000].map((minTimeMs) => ({ minTimeMs, maxTimeMs: minTimeMs + 1000 }))
    const warmUp = createWarmUp(endMs, { aborted: false }, blocks)
    for (let step = 0; step < 30; step++) await warmUp.step(reader)
    const before = ranges.length
    await warmUp.step(reader)
    await warmUp.step(reader)
    expect(ranges.slice(before)).toEqual([
      [5000, 5999],
      [4000, 4999],
    ])
    await warmUp.step(reader)
    expect(ranges.at(-1)![1]).toBe(endMs)
  })

  it('forgets before each further round what it read of blocks', async () => {
    let rounds = 0
    const warmUp = createWarmUp(endMs, { aborted: false }, [], undefined, () => void rounds++)
    for (let step = 0; step < 30; step++) await warmUp.step(storage)
    expect(rounds).toBe(0)
    for (let step = 0; step < 31; step++) await warmUp.step(storage)
    expect(rounds).toBe(2)
  })

  it('asks for some of the series of a metric that has many', async () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`m{pod="p${i}",job="x"}`, [1]]))
    for (const [count, queried, listed] of [
      [100, '{__name__="m"}', '{__name__="m"}'],
      [101, '{__name__="m",pod="p0"}', '{__name__="m"}'],
      [5000, '{__name__="m",pod="p0"}', '{__name__="m"}'],
      [5001, '{__name__="m",pod="p0"}', '{__name__="m",pod="p0"}'],
    ] as const) {
      inParts = []
      const requests: ListRequest[] = []
      const warmUp = createWarmUp(0, { aborted: false }, [], (request) => void requests.push(request))
      const reader = listSeries(everyMs, many(count)) as Queryable
      for (let step = 0; step < 15; step++) await warmUp.step(reader)
      expect(inParts[1]![1]).toBe(queried)
      const few = '{pod=~"p.*",job!="x"}'
      expect(requests.map(({ matchers }) => matchers)).toEqual([
        ...[[], [], [listed], [listed], ['{pod=~"p.*",__name__!="m"}'], [listed]],
        ...[[few], [few]],
      ])
    }
  })

  it('has nothing to ask where there are no samples', async () => {
    expect(await run(createWarmUp(-Infinity))).toBe(0)
    expect(await run(createWarmUp(), listSeries(everyMs, {}) as Queryable)).toBe(1)
  })

  it('ends what it does when a query comes', async () => {
    const signal = { aborted: false }
    const { reader, selects } = watch(storage)
    const warmUp = createWarmUp(endMs, signal)
    await warmUp.step(reader)
    const before = selects()
    signal.aborted = true
    await warmUp.step(reader)
    // It looks before it reads a series.
    expect(selects() - before).toBeLessThanOrEqual(1)
  })

  it('bears blocks that are gone, and no bug', async () => {
    const failing = (error: Error): Queryable => ({
      ...watch(storage).reader,
      select: () => {
        throw error
      },
    })
    for (const error of [new BlockError('read', 'index', 0, 'damaged'), new BlockGoneError('gone')])
      expect(await run(createWarmUp(), failing(error))).toBe(30)
    await expect(run(createWarmUp(), failing(new TypeError('a bug')))).rejects.toThrow('a bug')
  })
})
