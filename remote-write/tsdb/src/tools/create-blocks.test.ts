import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Labels } from '@narthex/model/labels'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { afterAll, describe, expect, test } from 'vitest'
import { chooseBlockRange, createBlocks } from './create-blocks.ts'
import type { CreateBlocksResult } from './create-blocks.ts'
import { dumpDatabase, OpenMetricsFormat, PlainFormat } from './dump-database.ts'
import type { DumpFormat } from './dump-database.ts'

const directory = makeTemporaryDirectory()
afterAll(() => directory.remove())
let count = 0

interface Made {
  readonly output: string
  readonly result: CreateBlocksResult
  readonly ranges: readonly (readonly [number, number])[]
}

async function create(text: string, options: { maxBlockDurationMs?: number; labels?: Labels; windowBytes?: number } = {}): Promise<Made> {
  const inputPath = join(directory.path, `${++count}.om`)
  const output = join(directory.path, String(count))
  writeFileSync(inputPath, text)
  const ranges: [number, number][] = []
  const defaults = { maxBlockDurationMs: 7_200_000, labels: Labels.empty, memoryBytesMax: 64 * 2 ** 20 }
  const result = await createBlocks({ inputPath, outputDirectory: output, ...defaults, ...options }, (meta) => {
    ranges.push([meta.minTime, meta.maxTime])
  })
  return { output, result, ranges }
}

function dump(output: string, format: DumpFormat = new PlainFormat()): string[] {
  const request = { directory: output, selectors: [[]], minTimeMs: -Infinity, maxTimeMs: Infinity, memoryBytesMax: 64 * 2 ** 20 }
  return Buffer.concat([...dumpDatabase(request, format, [])])
    .toString()
    .split('\n')
    .slice(0, -1)
}

describe('the range of blocks', () => {
  const hour = 3_600_000
  test.each([
    [0, 2],
    [2 * hour, 2],
    [6 * hour - 1, 2],
    [6 * hour, 6],
    [24 * hour, 18],
    [1e15, 2 * 3 ** 9],
  ])('for at most %i ms is %i h', (maxBlockDurationMs, hours) => {
    expect(chooseBlockRange(maxBlockDurationMs)).toBe(hours * hour)
  })
})

describe('blocks of OpenMetrics text', () => {
  test('begin at their first sample and end 1 ms after the last', async () => {
    const { ranges, result } = await create('a 1 7199.999\na 2 7200\na 3 14399.999\na 4 99999\n# EOF\n')
    expect(ranges).toEqual([
      [7_199_999, 7_200_000],
      [7_200_000, 14_400_000],
      [99_999_000, 99_999_001],
    ])
    expect(result).toEqual({ samples: 4, blocks: 3, samplesLeftOut: 0 })
  })

  test('have samples from before 1970, which promtool passes over', async () => {
    const { output, ranges } = await create('a 1 -7200\na 2 -0.001\na 3 0\n# EOF\n')
    expect(ranges).toEqual([
      [-7_200_000, 0],
      [0, 1],
    ])
    expect(dump(output)).toEqual(['{__name__="a"} 1 -7200000', '{__name__="a"} 2 -1', '{__name__="a"} 3 0'])
  })

  test('come to the same whatever the order of series in the file and the window', async () => {
    const rows: string[] = []
    for (let i = 0; i < 300; i++) for (const x of ['1', '2']) rows.push(`a{x="${x}"} ${i * Number(x)} ${i * 60}`)
    const sorted = rows.toSorted((a, b) => (a < b ? -1 : 1))
    const byTime = await create(`${rows.join('\n')}\n# EOF\n`, { windowBytes: 1024 })
    const bySeries = await create(
      `${[...rows.filter((row) => row.includes('"1"')), ...rows.filter((row) => row.includes('"2"'))].join('\n')}\n# EOF\n`,
    )
    expect(dump(byTime.output)).toEqual(dump(bySeries.output))
    expect(dump(byTime.output)).toHaveLength(sorted.length)
    expect(byTime.ranges).toEqual(bySeries.ranges)
    expect(byTime.ranges).toHaveLength(3)
  })

  test('get the labels that were asked for, over those of the file', async () => {
    const { output } = await create('a{x="1",y="2"} 1 1\n# EOF\n', { labels: Labels.from({ x: 'new', z: '3' }) })
    expect(dump(output)).toEqual(['{__name__="a", x="new", y="2", z="3"} 1 1000'])
  })

  test('are read from what dump-openmetrics wrote', async () => {
    const text = 'a{x="é\\"\\\\\\n"} 1 1\n{"b.c",x="1"} -Inf 2.005\nd NaN 7201\ne -0 -1.5\n# EOF\n'
    const first = await create(text)
    const dumped = dump(first.output, new OpenMetricsFormat())
    expect(dumped).toEqual(['a{x="é\\"\\\\\\n"} 1 1.000', '{"b.c",x="1"} -Inf 2.005', 'd{} NaN 7201.000', 'e{} -0 -1.500', '# EOF'])
    const second = await create(`${dumped.join('\n')}\n`)
    expect(dump(second.output)).toEqual(dump(first.output))
  })

  test('are none for a file without samples', async () => {
    const { output, result } = await create('# EOF\n')
    expect(result).toEqual({ samples: 0, blocks: 0, samplesLeftOut: 0 })
    expect(readdirSync(output)).toEqual([])
  })
})

describe('samples that are not newer than the one before', () => {
  const rows = (n: number, first = 0) => Array.from({ length: n }, (_, i) => `b ${i} ${1000 + first + i}\n`).join('')

  test('are left out and counted as long as that is not committed, and refused from then on', async () => {
    // The sample of a and 4998 others, then the late one: all in one commit of 5000.
    const fits = await create(`a 1 7000\n${rows(4998)}a 2 6000\n# EOF\n`)
    expect(fits.result.samplesLeftOut).toBe(1)
    expect(dump(fits.output)).toHaveLength(4999)
    await expect(create(`a 1 7000\n${rows(4999)}a 2 6000\n# EOF\n`)).rejects.toThrow(
      'block creation: process blocks: add sample: out of order sample: a at 6000000',
    )
    await expect(create(`a 1 7000\n${rows(4999)}a 2 7000\n# EOF\n`)).rejects.toThrow('add sample: duplicate sample for timestamp')
  })

  test('are passed over if they are the same', async () => {
    const { result } = await create(`a 1 7000\n${rows(5000)}a 1 7000\n# EOF\n`)
    expect(result.samplesLeftOut).toBe(0)
  })
})

test('a label name that is there twice is refused with its place', async () => {
  await expect(create('a{a="1",a="2"} 1 1\n# EOF\n')).rejects.toThrow(
    'block creation: process blocks: add sample: label name "a" is not unique: invalid sample',
  )
})

test('a ceiling that the series do not fit below is one clear error', async () => {
  const text = `${Array.from({ length: 60_000 }, (_, i) => `a{i="${i}-${'x'.repeat(100)}"} 1 1\n`).join('')}# EOF\n`
  const inputPath = join(directory.path, 'many.om')
  writeFileSync(inputPath, text)
  const request = {
    inputPath,
    outputDirectory: join(directory.path, 'many'),
    maxBlockDurationMs: 0,
    labels: Labels.empty,
    memoryBytesMax: 2 ** 23,
  }
  await expect(createBlocks(request, () => {})).rejects.toThrow(/add sample: .*memory ceiling/)
})
