import { describe, expect, test } from 'vitest'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { prepareBody } from '@narthex/exposition/read-body'
import type { ExpositionKind } from '@narthex/exposition/read-body'
import { Labels } from '@narthex/model/labels'
import { FamilyInterner, FamilyTable } from './family-table.ts'
import { schemaMax } from './limit-histogram.ts'
import { TargetSeries } from './target-series.ts'
import type { TargetSeriesOptions } from './target-series.ts'
import { exemplarLabelCharactersMax } from './target-exemplars.ts'
import { counterType, encodeFamilies, gaugeType, makeHistogram } from './testdata/metric-families.ts'
import { RecordingSink } from './testkit/recording-sink.ts'

const up = { labels: Labels.from({ __name__: 'up' }), family: { name: 'up', type: 'gauge', help: '', unit: '' } } as const

/** A target whose answers are in any format. */
class Fixture {
  readonly sink = new RecordingSink()
  readonly series: TargetSeries
  timeMs = 0

  constructor(options: Partial<TargetSeriesOptions> = {}) {
    this.series = new TargetSeries({
      target: 1,
      reportSeries: [up],
      families: new FamilyTable(new FamilyInterner()),
      honorTimestamps: true,
      trackTimestampsStaleness: false,
      sampleLimit: 0,
      histogramLimits: { bucketLimit: 0, schemaMax },
      startTimestamps: false,
      makeLabels: (scraped) => (scraped.get('__name__').startsWith('drop') ? undefined : scraped),
      joinedLabels: undefined,
      ...options,
    })
  }

  read(kind: ExpositionKind, given: string | Buffer, keepClassic = false): void {
    this.timeMs += 1000
    const options = { nhcb: false, keepClassic, nativeHistograms: true, createdAsStart: true }
    const { body, parser } = prepareBody(kind, typeof given === 'string' ? Buffer.from(given) : given, options, new ByteWriter())
    this.series.read(body, parser)
  }

  /** One scrape; gives what was written but for `up`. */
  scrape(kind: ExpositionKind, given: string | Buffer, keepClassic = false): string[] {
    this.read(kind, given, keepClassic)
    this.series.write(this.sink, this.timeMs, this.timeMs, [1])
    return this.taken()
  }

  fail(): string[] {
    this.timeMs += 1000
    this.series.writeFailure(this.sink, this.timeMs, [0])
    return this.taken()
  }

  taken(): string[] {
    return this.sink.take((series) => series !== 'up').map((line) => line.replace(`@${this.timeMs}`, ''))
  }

  /** Exemplars written since the last call. */
  exemplars(): string[] {
    const { exemplars } = this.sink
    this.sink.exemplars = []
    return exemplars
  }
}

const gauge = (name: string, value: number) => ({ name, type: gaugeType, metric: [{ gauge: { value } }] })
const body = (...families: object[]) => encodeFamilies(families)

describe('native histograms', () => {
  test('are one sample each, and are written again when they did not change', () => {
    const target = new Fixture()
    const first = body(makeHistogram('h', [1, 2]), gauge('g', 5))
    const written = ['g 5', 'h {schema 3, count 3, sum 1.5, buckets 1 1}']
    expect(target.scrape('protobuf', first)).toEqual(written)
    expect(target.series.counts).toEqual({ scraped: 2, kept: 2, seriesAdded: 2, duplicates: 0 })
    expect(target.scrape('protobuf', first)).toEqual(written)
    expect(target.scrape('protobuf', body(makeHistogram('h', [1, 3]), gauge('g', 6)))).toEqual([
      'g 6',
      'h {schema 3, count 4, sum 2, buckets 1 2}',
    ])
    expect(target.sink.layouts.size).toBe(1)
  })

  test('stay with their series when lines move, come and go', () => {
    const target = new Fixture()
    const a = makeHistogram('a', [1])
    const b = makeHistogram('b', [2])
    target.scrape('protobuf', body(gauge('x', 1), a, b))
    const b2 = 'b {schema 3, count 2, sum 1, buckets 2}'
    const a1 = 'a {schema 3, count 1, sum 0.5, buckets 1}'
    expect(target.scrape('protobuf', body(b, gauge('x', 1), a))).toEqual([a1, b2, 'x 1'])
    expect(target.scrape('protobuf', body(b, a))).toEqual([a1, b2, 'x stale'])
    expect(target.scrape('protobuf', body(gauge('y', 2), b))).toEqual(['a stale', b2, 'y 2'])
    expect(target.scrape('protobuf', body(b, gauge('y', 2), a))).toEqual([a1, b2, 'y 2'])
  })

  test('end with a stale marker when scrapes fail, and come back as they are', () => {
    const target = new Fixture()
    const first = body(makeHistogram('h', [1]))
    target.scrape('protobuf', first)
    expect(target.fail()).toEqual(['h stale'])
    expect(target.fail()).toEqual([])
    expect(target.scrape('protobuf', first)).toEqual(['h {schema 3, count 1, sum 0.5, buckets 1}'])
  })

  test('become floats and floats become histograms under the same name', () => {
    const target = new Fixture()
    target.scrape('protobuf', body(makeHistogram('h', [1]), gauge('g', 1)))
    expect(target.scrape('text', 'h 7\ng 1\n')).toEqual(['g 1', 'h 7'])
    expect(target.scrape('text', 'h 8\ng 1\n')).toEqual(['g 1', 'h 8'])
    expect(target.scrape('protobuf', body(gauge('g', 2), makeHistogram('h', [1])))).toEqual([
      'g 2',
      'h {schema 3, count 1, sum 0.5, buckets 1}',
    ])
    expect(target.sink.layouts.size).toBe(1)
  })

  test('leave nothing behind of an answer that was refused half-way', () => {
    const target = new Fixture({ sampleLimit: 2 })
    target.scrape('text', 'h 7\ng 1\n')
    expect(() => target.read('protobuf', body(makeHistogram('h', [1]), gauge('g', 1), gauge('z', 1)))).toThrow('sample limit exceeded')
    target.fail()
    expect(target.scrape('text', 'h 9\ng 1\n')).toEqual(['g 1', 'h 9'])
  })

  test('stand beside their classic series when the job wants both, all counted', () => {
    const target = new Fixture()
    const histogram = makeHistogram('h', [1])
    expect(target.scrape('protobuf', body(histogram), true)).toEqual([
      'h {schema 3, count 1, sum 0.5, buckets 1}',
      'h_bucket{le="+Inf"} 1',
      'h_bucket{le="1.0"} 1',
      'h_count 1',
      'h_sum 0.5',
    ])
    expect(target.series.counts.scraped).toBe(5)
  })

  test('keep explicit timestamps, several of one series included', () => {
    const target = new Fixture()
    target.timeMs = 100_000
    const at = (timestampMs: number, counts: readonly number[]) => {
      const family = makeHistogram('h', counts) as { metric: object[] }
      return { ...family, metric: [{ ...family.metric[0], timestampMs }] }
    }
    const lines = target.scrape('protobuf', body(at(90_000, [1]), gauge('g', 1), at(91_000, [2])))
    expect(lines).toEqual(['g 1', 'h {schema 3, count 1, sum 0.5, buckets 1}@90000', 'h {schema 3, count 2, sum 1, buckets 2}@91000'])
    expect(target.scrape('protobuf', body(at(90_000, [1]), gauge('g', 2), at(92_000, [3])))).toEqual([
      'g 2',
      'h {schema 3, count 3, sum 1.5, buckets 3}@92000',
    ])
  })

  test.each([
    [4, undefined],
    [3, 'h {schema 2, count 4, sum 2, buckets 2 0}'],
    [1, 'h {schema 1, count 4, sum 2, buckets 4}'],
  ])('have at most %d buckets', (bucketLimit, expected) => {
    const target = new Fixture({ histogramLimits: { bucketLimit, schemaMax } })
    const written = target.scrape('protobuf', body(makeHistogram('h', [1, 1, 1, 1])))
    expect(written).toEqual([expected ?? 'h {schema 3, count 4, sum 2, buckets 1 0 0 0}'])
    // The same once more, as a known line whose value changed.
    target.scrape('protobuf', body(makeHistogram('h', [2, 1, 1, 1])))
    expect(target.scrape('protobuf', body(makeHistogram('h', [1, 1, 1, 1])))).toEqual(written)
  })

  test('fail the scrape when no resolution fits, and are all counted', () => {
    const target = new Fixture({ histogramLimits: { bucketLimit: 1, schemaMax } })
    // Buckets 1 and 2 of schema -4 are 2^16 apart.
    const wide = makeHistogram('h', [1, 1], { schema: -4 })
    expect(() => target.read('protobuf', body(wide, gauge('g', 1)))).toThrow('histogram bucket limit exceeded')
    expect(target.series.counts.scraped).toBe(2)
    target.fail()
    expect(target.scrape('protobuf', body(gauge('g', 1)))).toEqual(['g 1'])
    expect(() => target.read('protobuf', body(gauge('g', 1), wide))).toThrow('histogram bucket limit exceeded')
    const dropped = makeHistogram('drop_h', [1, 1], { schema: -4 })
    target.fail()
    expect(target.scrape('protobuf', body(gauge('g', 1), dropped))).toEqual(['g 1'])
    expect(target.scrape('protobuf', body(dropped, gauge('g', 1)))).toEqual(['g 1'])
  })
})

describe('start timestamps', () => {
  const counter = (seconds: number, value: number) => ({
    name: 'c_total',
    type: counterType,
    metric: [{ counter: { value, createdTimestamp: { seconds, nanos: 5e6 } } }],
  })
  const startsOf = (target: Fixture) => target.sink.samples.filter(({ series }) => series !== 'up').map((sample) => sample.startTimeMs ?? 0)

  test('are kept when asked for, until the target gives another or none', () => {
    const target = new Fixture({ startTimestamps: true })
    const write = (...families: object[]) => {
      target.read('protobuf', body(...families))
      target.series.write(target.sink, target.timeMs, target.timeMs, [1])
      const starts = startsOf(target)
      target.sink.samples = []
      return starts
    }
    const histogram = makeHistogram('h', [1], { createdTimestamp: { seconds: 7 } })
    expect(write(counter(5, 1), histogram)).toEqual([5005, 7000])
    expect(write(counter(5, 1), histogram)).toEqual([5005, 7000])
    expect(write(counter(6, 0), makeHistogram('h', [1]))).toEqual([6005, 0])
    // The first one is the end of the histogram.
    expect(write(gauge('g', 1), counter(6, 0))).toEqual([0, 6005, 0])
    expect(write(gauge('g', 1))).toEqual([0, 0])
  })

  test('are taken from _created lines', () => {
    const target = new Fixture({ startTimestamps: true })
    target.read('openmetrics', '# TYPE c counter\nc_total 5\nc_created 1.5\n# EOF\n')
    target.series.write(target.sink, 1, 1, [1])
    expect(target.sink.samples).toEqual([
      { series: 'up', timeMs: 1, value: 1 },
      { series: 'c_total', timeMs: 1, value: 5, startTimeMs: 1500 },
    ])
  })

  test('are left out unless asked for, and when they are no time', () => {
    const off = new Fixture()
    off.read('protobuf', body(counter(5, 1)))
    off.series.write(off.sink, 1, 1, [1])
    expect(startsOf(off)).toEqual([0])
    const odd = new Fixture({ startTimestamps: true })
    for (const seconds of [-5, 2 ** 52]) {
      odd.read('protobuf', body(counter(seconds, 1)))
      odd.series.write(odd.sink, 1, 1, [1])
    }
    expect(startsOf(odd)).toEqual([0, 0])
  })
})

describe('exemplars', () => {
  const openMetrics = (...lines: string[]) => `# TYPE c counter\n${lines.join('\n')}\n# EOF\n`

  test('are written once, with their own time or the time of the scrape', () => {
    const target = new Fixture()
    const first = openMetrics('c_total{a="1"} 5 # {t="x"} 0.5 1.5', 'c_total{a="2"} 5 # {t="y",b=""} 0.7')
    target.scrape('openmetrics', first)
    expect(target.exemplars()).toEqual(['c_total{a="1"} {t="x"} 0.5@1500', 'c_total{a="2"} {t="y"} 0.7@1000'])
    target.scrape('openmetrics', first)
    expect(target.exemplars()).toEqual([])
    // The value of the sample changes, the exemplar does not.
    target.scrape('openmetrics', first.replaceAll('} 5', '} 6'))
    expect(target.exemplars()).toEqual([])
    target.scrape('openmetrics', first.replace('0.7', '0.8'))
    expect(target.exemplars()).toEqual(['c_total{a="2"} {t="y"} 0.8@4000'])
  })

  test('are not written again when lines move or series get other numbers', () => {
    const target = new Fixture()
    target.scrape('openmetrics', openMetrics('c_total{a="1"} 5', 'c_total{a="2"} 5 # {t="y"} 0.7 2', 'drop_me 1 # {t="z"} 1'))
    expect(target.exemplars()).toEqual(['c_total{a="2"} {t="y"} 0.7@2000'])
    target.scrape('openmetrics', openMetrics('drop_me 1 # {t="z"} 1', 'c_total{a="2"} 5 # {t="y"} 0.7 2', 'c_total{a="3"} 5'))
    expect(target.exemplars()).toEqual([])
    target.scrape('openmetrics', openMetrics('c_total{a="3"} 5 # {t="n"} 1 3', 'c_total{a="2"} 6 # {t="y"} 0.7 2'))
    expect(target.exemplars()).toEqual(['c_total{a="3"} {t="n"} 1@3000'])
  })

  test('of an answer that failed are written by the next one', () => {
    const target = new Fixture({ sampleLimit: 1 })
    const line = 'c_total{a="1"} 5 # {t="x"} 0.5 1.5'
    expect(() => target.read('openmetrics', openMetrics(line, 'c_total{a="2"} 1'))).toThrow('sample limit exceeded')
    target.fail()
    target.scrape('openmetrics', openMetrics(line))
    expect(target.exemplars()).toEqual(['c_total{a="1"} {t="x"} 0.5@1500'])
  })

  test('older than the last one are dropped and counted', () => {
    const target = new Fixture()
    target.scrape('openmetrics', openMetrics('c_total 5 # {t="x"} 0.5 2'))
    target.exemplars()
    target.scrape('openmetrics', openMetrics('c_total 6 # {t="x"} 0.5 1.999'))
    target.scrape('openmetrics', openMetrics('c_total 6 # {t="x"} 0.4 2'))
    expect([target.exemplars(), target.series.exemplarCounts.outOfOrder]).toEqual([[], 2])
    target.scrape('openmetrics', openMetrics('c_total 6 # {t="x"} 0.6 2'))
    expect(target.exemplars()).toEqual(['c_total {t="x"} 0.6@2000'])
  })

  test.each([0, 1])('have at most 128 characters of labels: %d more', (more) => {
    const target = new Fixture()
    const value = '𝒳'.repeat(exemplarLabelCharactersMax - 1 + more)
    target.scrape('openmetrics', openMetrics(`c_total 6 # {t="${value}"} 1 1`))
    expect([target.exemplars().length, target.series.exemplarCounts.labelsTooLong]).toEqual([1 - more, more])
  })

  test('of a native histogram are written in the order of their time, and dropped without one', () => {
    const target = new Fixture()
    const exemplar = (id: string, value: number, seconds?: number) => ({
      label: [{ name: 't', value: id }],
      value,
      ...(seconds === undefined ? {} : { timestamp: { seconds } }),
    })
    const exemplars = [exemplar('late', 2, 9), exemplar('early', 1, 8), exemplar('none', 3)]
    target.scrape('protobuf', body(makeHistogram('h', [1], { exemplars })))
    expect(target.exemplars()).toEqual(['h {t="early"} 1@8000', 'h {t="late"} 2@9000'])
    // What stays in the set is not late: only a set with nothing new is.
    target.scrape('protobuf', body(makeHistogram('h', [2], { exemplars: [exemplar('early', 1, 8), exemplar('new', 2, 10)] })))
    expect([target.exemplars(), target.series.exemplarCounts.outOfOrder]).toEqual([['h {t="new"} 2@10000'], 0])
  })

  test('with a label name twice are dropped', () => {
    const target = new Fixture()
    target.scrape('openmetrics', openMetrics('c_total 6 # {t="x",t="y"} 1 1'))
    expect([target.exemplars(), target.series.exemplarCounts.invalid]).toEqual([[], 1])
  })

  test('go with the sample of their series when samples have timestamps of their own', () => {
    const target = new Fixture()
    target.timeMs = 100_000
    target.scrape(
      'openmetrics',
      openMetrics('c_total{a="1"} 5 90 # {t="x"} 1 1', 'c_total{a="2"} 5 1e12 # {t="y"} 1 1', 'c_total{a="3"} 5 # {t="z"} 1 1'),
    )
    expect(target.exemplars()).toEqual(['c_total{a="1"} {t="x"} 1@1000', 'c_total{a="3"} {t="z"} 1@1000'])
    expect(target.series.refused.outOfBounds).toBe(1)
  })
})

test('a timestamp far before 1970 is out of bounds, and everything else is written', () => {
  const target = new Fixture()
  expect(target.scrape('openmetrics', '# TYPE c gauge\nc 1 -1e30\nd 2 -5\n# EOF\n')).toEqual(['d 2@-5000'])
  expect(target.series.refused.outOfBounds).toBe(1)
})
