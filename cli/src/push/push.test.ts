import { OpenMetricsParser } from '@narthex/exposition/openmetrics-parser'
import { TextParser } from '@narthex/exposition/text-parser'
import { RemoteWrite1Reader } from '@narthex/wire/remote-write-1'
import { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'
import { uncompress } from '@narthex/wire/snappy'
import { describe, expect, it } from 'vitest'
import { encodePushRequests } from './push-requests.ts'
import { readPushedPage } from './pushed-series.ts'

const nowMs = 1_700_000_000_000

const read = (text: string, added: Readonly<Record<string, string>> = { job: 'promtool' }) =>
  readPushedPage(Buffer.from(text), text.endsWith('# EOF\n') ? new OpenMetricsParser() : new TextParser(), added, nowMs)
const show = (text: string, added?: Readonly<Record<string, string>>) =>
  read(text, added).samples.map(({ labels, value, timeMs }) => `${labels.metricString()} ${value} ${timeMs - nowMs}`)

describe('a page that is pushed', () => {
  it('gets the labels given, which lose against its own', () => {
    expect(show('a{x="1"} 2\nb{x="1",job="own"} 3\n', { job: 'given', x: '9', y: '8' })).toEqual([
      'a{job="given", x="1", y="8"} 2 0',
      'b{exported_job="own", job="given", x="1", y="8"} 3 0',
    ])
  })

  it('keeps times, and is of now without', () => {
    expect(show(`a 1 ${nowMs - 5}\na 2\n`)).toEqual(['a{job="promtool"} 1 -5', 'a{job="promtool"} 2 0'])
  })

  it('prints bounds and quantiles as Go does', () => {
    const text =
      '# TYPE h histogram\nh_bucket{le="1.0"} 1\nh_bucket{le="1000000"} 1\nh_bucket{le="+Inf"} 2\nh_sum 1\nh_count 2\n# TYPE s summary\ns{quantile="0.50"} 3\n'
    expect(show(text).map((line) => /(?:le|quantile)="[^"]*"/.exec(line)?.[0])).toEqual([
      'le="1"',
      'le="1e+06"',
      'le="+Inf"',
      undefined,
      undefined,
      'quantile="0.5"',
    ])
  })

  it('gets a last bucket for histograms without one', () => {
    const text = '# TYPE h histogram\nh_bucket{a="1",le="1"} 1\nh_count{a="1"} 2\nh_bucket{a="2",le="+Inf"} 4\nh_count{a="2"} 4\n'
    expect(show(text).slice(4)).toEqual(['h_bucket{a="1", job="promtool", le="+Inf"} 2 0'])
  })

  it('knows families of OpenMetrics, and leaves out when they were created', () => {
    const { samples, families } = read(
      '# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds What.\na_seconds_total 1\na_seconds_created 5\n# EOF\n',
    )
    expect(families).toEqual([{ name: 'a_seconds', type: 'counter', help: 'What.', unit: 'seconds' }])
    expect(samples).toHaveLength(1)
    expect(samples[0]!.family).toBe(families[0])
  })
})

const page = '# HELP a_total What.\n# TYPE a_total counter\na_total{x="ä"} 1.5\nb NaN\n'

it('is sent as 1.0 with metadata of families', () => {
  const [request, ...more] = [...encodePushRequests(read(page), 1)].map((block) => uncompress(block, 1e6))
  expect(more).toEqual([])
  const reader = new RemoteWrite1Reader()
  reader.read(request!)
  expect(reader.seriesCount).toBe(2)
  expect(reader.metadata(0)).toEqual({ type: 'counter', family: 'a_total', help: 'What.', unit: '' })
})

it('is sent as 2.0 with metadata of series', () => {
  const [request] = [...encodePushRequests(read(page), 2)].map((block) => uncompress(block, 1e6))
  const reader = new RemoteWrite2Reader()
  reader.read(request!)
  expect(reader.seriesCount).toBe(2)
  const [type, help, unit] = reader.metadata
  const symbol = (ref: number) => Buffer.from(request!.subarray(reader.symbolStart[ref], reader.symbolEnd[ref])).toString()
  expect([type, symbol(help!), symbol(unit!)]).toEqual([1, 'What.', ''])
})

it.each([1, 2] as const)('is cut into requests that receivers take, in version %i', (version) => {
  const text = Array.from({ length: 40_000 }, (_, i) => `metric_with_a_long_name{label="${i}"} ${i}\n`).join('')
  const blocks = [...encodePushRequests(read(text), version)].map((block) => uncompress(block, 2 ** 24))
  expect(blocks.length).toBeGreaterThan(1)
  let series = 0
  for (const block of blocks) {
    expect(block.length).toBeLessThan(1_100_000)
    const reader = version === 1 ? new RemoteWrite1Reader() : new RemoteWrite2Reader()
    reader.read(block)
    series += reader.seriesCount
  }
  expect(series).toBe(40_000)
})
