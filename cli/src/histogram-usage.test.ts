import { expect, it } from 'vitest'
import type { HistogramPoint, SeriesShape } from './answer-shape.ts'
import { describeHistogramUsage } from './histogram-usage.ts'

// What promtool 3 was seen to print for the same answers.

async function describeLines(...answers: readonly (readonly SeriesShape[])[]): Promise<string[]> {
  async function* ask(): AsyncGenerator<readonly SeriesShape[]> {
    for (const answer of answers) yield await Promise.resolve(answer)
  }
  const lines: string[] = []
  for await (const line of describeHistogramUsage(ask())) lines.push(line)
  return lines.slice(1)
}

const bucket = (le: string, counts: readonly number[], others: Readonly<Record<string, string>> = {}): SeriesShape => ({
  metric: { __name__: 'lat_bucket', job: 'a', le, ...others },
  values: counts.map((count, i) => [i, String(count)]),
})
const histogram = (time: number, ...uppers: readonly number[]): HistogramPoint => [
  time,
  { count: '1', sum: '1', buckets: uppers.map((upper) => [0, String(upper / 2), String(upper), '1']) },
]
const footer = '\nAggregated bucket stats\n-----------------------\nEach line shows min/avg/max over the series above.'

it('counts the buckets of classic histograms that hold more than the one below', async () => {
  expect(
    await describeLines([
      bucket('+Inf', [5, 5, 5]),
      bucket('1', [1, 2, 3]),
      bucket('2.5', [3, 3, 3]),
      ...['+Inf', '0.5', '2.5'].map((le) => bucket(le, [1, 1, 1], { z: '1' })),
    ]),
  ).toEqual([
    '- lat_bucket{job="a"} (classic): 2/2.667/3',
    '- lat_bucket{job="a", z="1"} (classic): 1/1.000/1/3',
    footer,
    '\nClassic histogram series (2 in total):\n- min populated: 1/1.500/2\n- avg populated: 1/1.500/2\n- max populated: 1/2.000/3\n- total: 3/3.000/3',
  ])
})

it('counts the buckets of native histograms, and all bounds that were there', async () => {
  const series = (points: readonly HistogramPoint[]): SeriesShape => ({ metric: { __name__: 'nh' }, histograms: points })
  expect(await describeLines([series([histogram(1, 2, 4), histogram(2, 4, 8)]), series([histogram(1, 2)])])).toEqual([
    '- nh (native): 2/2.000/2/3',
    footer,
    '\nNative histogram series (1 in total):\n- min populated: 2/2.000/2\n- avg populated: 2/2.000/2\n- max populated: 2/2.000/2\n- total: 3/3.000/3',
  ])
})

it('passes over what is no histogram, and series of one sample', async () => {
  const gauge: SeriesShape = { metric: { __name__: 'g', le: '1' }, values: [[1, '1']] }
  expect(await describeLines([gauge, bucket('1', [1])])).toEqual([footer])
})

it('refuses buckets of different times', async () => {
  const late: SeriesShape = { metric: { __name__: 'lat_bucket', job: 'a', le: '+Inf' }, values: [0.5, 1.5].map((time) => [time, '3']) }
  await expect(describeLines([bucket('1', [1, 1]), late])).rejects.toThrow('matrix result is not time aligned')
})
