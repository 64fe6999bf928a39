import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Labels } from '@narthex/model/labels'
import { SampleColumns } from '@narthex/model/sample-columns'
import { afterAll, describe, expect, test } from 'vitest'
import { createRuleBlocks, type BackfilledRule, type RangeSeries } from './rule-blocks.ts'

const directory = mkdtempSync(join(tmpdir(), 'narthex-rule-blocks-'))
afterAll(() => rmSync(directory, { recursive: true }))

const hourMs = 3_600_000
const rule = (changes: Partial<BackfilledRule> = {}): BackfilledRule => {
  return { record: 'r', expression: 'm', labels: {}, intervalMs: 60_000, phaseMs: 7_000, yieldsGauges: false, ...changes }
}

type Ask = (expression: string, startMs: number, endMs: number, stepMs: number) => RangeSeries[]

/** A sample of one series at each step. */
const steady: Ask = (_expression, startMs, endMs, stepMs) => {
  const samples = new SampleColumns()
  for (let timeMs = startMs; timeMs <= endMs; timeMs += stepMs) samples.pushNumber(timeMs, 1)
  return [{ labels: Labels.from({ a: 'b', c: 'd' }), samples }]
}

async function run(rules: readonly BackfilledRule[], startMs: number, endMs: number, ask: Ask = steady, maxBlockDurationMs = 2 * hourMs) {
  const asked: [number, number][] = []
  const blocks: { range: [number, number]; samples: number | undefined; series: number | undefined }[] = []
  const failures: string[] = []
  const leftOut = await createRuleBlocks(
    {
      rules,
      startMs,
      endMs,
      outputDirectory: join(directory, 'data'),
      maxBlockDurationMs,
      memoryBytesMax: 2 ** 26,
      takesCustomBuckets: false,
      ask: (expression, from, to, step) => {
        asked.push([from, to])
        return Promise.resolve().then(() => ask(expression, from, to, step))
      },
    },
    {
      onBlock: ({ minTime, maxTime, stats }) => {
        blocks.push({ range: [minTime, maxTime], samples: stats?.numSamples, series: stats?.numSeries })
      },
      onFailure: ({ record }, reason) => failures.push(`${record}: ${reason}`),
    },
  )
  return { asked, blocks, failures, samplesLeftOut: leftOut.samples }
}

describe('createRuleBlocks', () => {
  test('evaluates where the rule would have been, range by range of the blocks', async () => {
    const { asked, blocks } = await run([rule()], 0, 5 * hourMs)
    expect(asked).toEqual([
      [7_000, 2 * hourMs - 1],
      [2 * hourMs + 7_000, 4 * hourMs - 1],
      [4 * hourMs + 7_000, 5 * hourMs],
    ])
    expect(blocks.map(({ samples }) => samples)).toEqual([120, 120, 60])
    expect(blocks[0]!.range).toEqual([7_000, 2 * hourMs - 53_000 + 1])
  })

  test('begins with the first evaluation at or after the start', async () => {
    expect((await run([rule()], 7_000, 60_000)).asked).toEqual([[7_000, 60_000]])
    expect((await run([rule()], 7_001, 70_000)).asked).toEqual([[67_000, 70_000]])
    expect(await run([rule()], 8_000, 60_000)).toEqual({ asked: [], blocks: [], failures: [], samplesLeftOut: 0 })
  })

  test('asks for no more points than a server gives', async () => {
    const { asked, blocks } = await run([rule({ intervalMs: 1000, phaseMs: 0 })], 0, 6 * hourMs - 1, steady, 6 * hourMs)
    expect(asked).toEqual([
      [0, 10_999_000],
      [11_000_000, 6 * hourMs - 1],
    ])
    expect(blocks.map(({ samples }) => samples)).toEqual([6 * 3600])
  })

  test('puts the results of all rules into one block, named and labelled by their rules', async () => {
    const rules = [rule(), rule({ record: 's', labels: { a: 'own', c: '' }, phaseMs: 0 })]
    const { blocks } = await run(rules, 0, hourMs)
    expect(blocks.map(({ series, samples }) => [series, samples])).toEqual([[2, 60 + 61]])
  })

  test('counts what two rules give alike', async () => {
    const { blocks, samplesLeftOut } = await run([rule(), rule({ expression: 'other', phaseMs: 0 })], 0, hourMs)
    expect(blocks[0]!.samples! + samplesLeftOut).toBe(60 + 61)
    expect(samplesLeftOut).toBeGreaterThan(0)
  })

  test('leaves out a rule from its first failure on', async () => {
    const ask: Ask = (expression, startMs, ...rest) => {
      if (expression === 'bad' && startMs > 2 * hourMs) throw new Error('too expensive')
      return steady(expression, startMs, ...rest)
    }
    const { blocks, failures, asked } = await run([rule({ record: 'b', expression: 'bad' }), rule()], 0, 8 * hourMs - 1, ask)
    expect(failures).toEqual(['b: too expensive'])
    expect(blocks.map(({ series }) => series)).toEqual([2, 1, 1, 1])
    expect(asked.length).toBe(4 + 2)
  })

  test('ends when there is no place for a block', async () => {
    writeFileSync(join(directory, 'file'), '')
    const request = {
      rules: [rule()],
      startMs: 0,
      endMs: hourMs,
      maxBlockDurationMs: 0,
      memoryBytesMax: 2 ** 26,
      takesCustomBuckets: false,
    }
    const failing = createRuleBlocks(
      { ...request, outputDirectory: join(directory, 'file', 'x'), ask: (...args) => Promise.resolve(steady(...args)) },
      { onBlock: () => {}, onFailure: () => expect.fail('it is no failure of a rule') },
    )
    await expect(failing).rejects.toThrow('create output dir: mkdir')
  })
})
