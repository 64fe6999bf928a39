import { BlockError } from '@narthex/tsdb/block/block-error'
import { BlockGoneError } from '@narthex/tsdb/select/block-shelf'
import { describe, expect, it } from 'vitest'
import { listSeries } from '@narthex/promql/testing/listed-series'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import { WarmUp, type WarmUpOptions } from './warm-up.ts'

const everyMs = 15_000
const values = Array.from({ length: 500 }, (_, i) => i)
const endMs = 499 * everyMs
const storage = listSeries(everyMs, { 'a_total{job="x"}': values, 'a_total{job="y"}': values, 'b{job="x"}': values }) as Queryable
const engine = { samplesMax: 1, bytesMax: 1 }
let written = 0
let inParts: unknown[][] = []
const answerInParts: WarmUpOptions['answerInParts'] = async (...asked) => void inParts.push(asked)

function createWarmUp(toMs = endMs, signal = { aborted: false }): WarmUp {
  return new WarmUp({ engine, signal, endMs: toMs, write: () => void written++, answerInParts })
}

async function run(warmUp: WarmUp, reader = storage): Promise<number> {
  let steps = 0
  for (; !warmUp.isDone && steps < 10_000; steps++) await warmUp.step(reader)
  return steps
}

/** Counts what is asked of it. */
function watch(reader: Queryable): { reader: Queryable; selects: () => number } {
  let count = 0
  const watched: Queryable = {
    select: (matchers, from, to, hints) => {
      count++
      return reader.select(matchers, from, to, hints)
    },
    labelNames: (matchers, from, to) => reader.labelNames(matchers, from, to),
    labelValues: (name, matchers, from, to) => reader.labelValues(name, matchers, from, to),
  }
  return { reader: watched, selects: () => count }
}

describe('a warm-up', () => {
  it('asks for two metrics, again and again, whatever the limits of queries are', async () => {
    const { reader, selects } = watch(storage)
    written = 0
    inParts = []
    const steps = await run(createWarmUp(), reader)
    expect(steps).toBeGreaterThan(12)
    expect(steps).toBeLessThanOrEqual(360)
    expect(selects()).toBeGreaterThanOrEqual(2 * steps)
    expect(written).toBe(2 * steps)
    expect(inParts).toHaveLength(steps)
    expect(inParts[0]!.slice(1)).toEqual(['sum by (job) (rate({__name__="a_total"}[5m]))', endMs - 6 * 3_600_000, endMs, 60_000])
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
      expect(await run(createWarmUp(), failing(error))).toBe(360)
    await expect(run(createWarmUp(), failing(new TypeError('a bug')))).rejects.toThrow('a bug')
  })
})
