import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ExpositionError } from '@narthex/exposition/exposition-error'
import { OpenMetricsParser } from '@narthex/exposition/openmetrics-parser'
import { TextParser } from '@narthex/exposition/text-parser'
import { Labels } from '@narthex/model/labels'
import type { FamilyMetadata, ScrapeBatch } from '../store/frame.ts'
import { FamilyInterner, FamilyTable } from './family-table.ts'
import { schemaMax } from './limit-histogram.ts'
import { LineWindows } from './line-windows.ts'
import { makeSampleLabels } from './sample-labels.ts'
import { TargetSeries } from './target-series.ts'
import type { TargetSeriesOptions } from './target-series.ts'
import { RecordingSink } from './testkit/recording-sink.ts'

const targetLabels = Labels.from({ instance: 'h:1' })

class Fixture {
  readonly sink = new RecordingSink()
  readonly families = new FamilyTable(new FamilyInterner())
  readonly series: TargetSeries
  timeMs = 0

  constructor(options: Partial<TargetSeriesOptions> = {}, before?: TargetSeries) {
    const limits = { labelLimit: 0, labelNameLengthLimit: 0, labelValueLengthLimit: 0 }
    const rules = { targetLabels, honorLabels: false, metricRelabelConfigs: [], limits, legacyNames: false }
    const all = {
      target: 1,
      reportSeries: [{ labels: targetLabels.with('__name__', 'up'), family: { name: 'up', type: 'gauge' as const, help: '', unit: '' } }],
      families: this.families,
      honorTimestamps: true,
      trackTimestampsStaleness: false,
      sampleLimit: 0,
      histogramLimits: { bucketLimit: 0, schemaMax },
      startTimestamps: false,
      makeLabels: (scraped: Labels) => (scraped.get('__name__').startsWith('drop') ? undefined : makeSampleLabels(scraped, rules)),
      joinedLabels: undefined,
      ...options,
    }
    this.series = new TargetSeries(all, before)
  }

  /** One scrape; gives what was written, without `up`, the target labels and the time of the scrape. */
  scrape(body: string, parser: TextParser | OpenMetricsParser = new TextParser()): string[] {
    this.timeMs += 1000
    this.series.read(Buffer.from(body), parser)
    this.series.write(this.sink, this.timeMs, this.timeMs, [1])
    return this.taken()
  }

  /** As `scrape`, in windows of `windowBytes`. */
  stream(body: string, windowBytes = 16, parser: TextParser | OpenMetricsParser = new TextParser()): string[] {
    this.timeMs += 1000
    this.series.open()
    const windows = new LineWindows(this.series, parser, windowBytes)
    windows.push(Buffer.from(body))
    windows.end()
    this.series.write(this.sink, this.timeMs, this.timeMs, [1])
    return this.taken()
  }

  fail(): string[] {
    this.timeMs += 1000
    this.series.writeFailure(this.sink, this.timeMs, [0])
    return this.taken()
  }

  taken(): string[] {
    return this.sink
      .take((series) => !series.startsWith('up{'))
      .map((line) => line.replace('instance="h:1"', '').replace(', }', '}').replace('{}', '').replace(`@${this.timeMs}`, ''))
  }
}

describe('TargetSeries', () => {
  test('writes every sample of an answer, under the labels of the target', () => {
    const { sink, series } = new Fixture()
    series.read(Buffer.from('# TYPE a counter\na 1\nb{c="d",instance="x"} NaN\n'), new TextParser())
    series.write(sink, 5000, 5000, [1])
    expect(sink.take()).toEqual([
      'a{instance="h:1"} 1@5000',
      'b{c="d", exported_instance="x", instance="h:1"} NaN@5000',
      'up{instance="h:1"} 1@5000',
    ])
    expect(series.counts).toEqual({ scraped: 2, kept: 2, seriesAdded: 2, duplicates: 0 })
  })

  test('keeps the layout while no series comes or goes, wherever the lines stand', () => {
    const target = new Fixture()
    target.scrape('a 1\nb 2\nc 3\n')
    expect(target.scrape('a 1\nb 20\nc 3\n')).toEqual(['a 1', 'b 20', 'c 3'])
    expect(target.scrape('c 30\na 10\n# a comment\nb 20\n')).toEqual(['a 10', 'b 20', 'c 30'])
    expect(target.scrape('c 30\na  11\n\nb 20')).toEqual(['a 11', 'b 20', 'c 30'])
    expect(target.sink.layouts.size).toBe(1)
  })

  test('ends a series that vanishes with one stale marker', () => {
    const target = new Fixture()
    target.scrape('a 1\nb 2\nc 3\n')
    expect(target.scrape('a 1\nc 3\n')).toEqual(['a 1', 'b stale', 'c 3'])
    expect(target.scrape('a 1\nc 3\n')).toEqual(['a 1', 'c 3'])
    expect(target.scrape('a 1\nb 5\nc 3\n')).toEqual(['a 1', 'b 5', 'c 3'])
    expect(target.series.counts.seriesAdded).toBe(1)
    expect(target.scrape('')).toEqual(['a stale', 'b stale', 'c stale'])
  })

  test('ends every series once when scrapes fail, and goes on with the same layout', () => {
    const target = new Fixture()
    target.scrape('a 1\nb 2\n')
    expect(target.fail()).toEqual(['a stale', 'b stale'])
    expect(target.fail()).toEqual([])
    expect(target.scrape('a 1\nb 2\n')).toEqual(['a 1', 'b 2'])
    expect(target.series.counts.seriesAdded).toBe(0)
    expect(target.sink.layouts.size).toBe(1)
    expect(target.fail()).toEqual(['a stale', 'b stale'])
    expect(target.scrape('b 2\n')).toEqual(['b 2'])
  })

  test('keeps nothing of an answer that breaks off in the middle', () => {
    const target = new Fixture()
    target.scrape('a 1\nb 2\n')
    expect(() => target.scrape('a 7\nnew 1\nb x\n')).toThrow(ExpositionError)
    expect(target.fail()).toEqual(['a stale', 'b stale'])
    expect(target.scrape('a 1\nb 2\n')).toEqual(['a 1', 'b 2'])
  })

  test('drops a repeated series and counts it', () => {
    const target = new Fixture()
    expect(target.scrape('a{x="1"} 1\nb 2\na{x="1"} 3\n')).toEqual(['a{, x="1"} 1', 'b 2'])
    expect(target.series.counts.duplicates).toBe(1)
    expect(target.series.counts.kept).toBe(3)
    target.scrape('a{x="1"} 1\nb 2\na{x="1"} 4\n')
    expect(target.series.counts.duplicates).toBe(1)
    target.scrape('b 2\na{x="1"} 4\n')
    expect(target.series.counts.duplicates).toBe(0)
    expect(target.sink.samples).toEqual([])
  })

  test('sends explicit timestamps once each, without stale markers', () => {
    const target = new Fixture()
    expect(target.scrape('a 1 500\nb 2\n')).toEqual(['a 1@500', 'b 2'])
    expect(target.scrape('a 1 500\nb 2\n')).toEqual(['b 2'])
    expect(target.scrape('a 2 700\nb 2\n')).toEqual(['a 2@700', 'b 2'])
    expect(target.scrape('a 2 600\nb 2\n')).toEqual(['b 2'])
    expect(target.series.refused.outOfOrder).toBe(1)
    expect(target.scrape('a 2 99999999999999\nb 2\n')).toEqual(['b 2'])
    expect(target.series.refused.outOfBounds).toBe(1)
    expect(target.scrape('a 3 800\na 4 900\nb 2\n')).toEqual(['a 3@800', 'a 4@900', 'b 2'])
    expect(target.fail()).toEqual(['b stale'])
    expect(target.scrape('a 5\nb 2\n')).toEqual(['a 5', 'b 2'])
    expect(target.fail()).toEqual(['a stale', 'b stale'])
  })

  test('marks series with explicit timestamps stale when asked to', () => {
    const target = new Fixture({ trackTimestampsStaleness: true })
    target.scrape('a 1 500\n')
    expect(target.scrape('b 1\n')).toEqual(['a stale', 'b 1'])
  })

  test('ignores timestamps when they are not honoured', () => {
    const target = new Fixture({ honorTimestamps: false })
    expect(target.scrape('a 1 500\n')).toEqual(['a 1'])
    expect(target.scrape('a 1 500\n')).toEqual(['a 1'])
    expect(target.scrape('')).toEqual(['a stale'])
  })

  test('remembers which series relabeling dropped', () => {
    const target = new Fixture()
    expect(target.scrape('a 1\ndrop_me 2\n')).toEqual(['a 1'])
    expect(target.scrape('a 1\ndrop_me 3\n')).toEqual(['a 1'])
    expect(target.series.counts).toEqual({ scraped: 2, kept: 1, seriesAdded: 0, duplicates: 0 })
  })

  test('refuses one sample more than the limit, after counting all', () => {
    const target = new Fixture({ sampleLimit: 2 })
    expect(target.scrape('a 1\nb 2\ndrop 3\n')).toEqual(['a 1', 'b 2'])
    expect(() => target.scrape('a 1\nb 2\nc 3\n')).toThrow('sample limit exceeded')
    expect(target.series.counts.scraped).toBe(3)
    expect(target.fail()).toEqual(['a stale', 'b stale'])
    expect(target.scrape('a 1\nb 3\n')).toEqual(['a 1', 'b 3'])
  })

  test('hands HELP, TYPE and UNIT to the layout and follows their changes', () => {
    const target = new Fixture()
    const layouts: ScrapeBatch['layout'][] = []
    const sink = { append: (batch: ScrapeBatch) => void layouts.push(batch.layout) }
    const families = (): (readonly FamilyMetadata[])[] => layouts.splice(0).map((layout) => layout.families)
    const read = (body: string): void => {
      target.series.read(Buffer.from(body), new TextParser())
      target.series.write(sink, 1, 1, [1])
    }
    read('# HELP h A.\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 2\nother 1\n')
    expect(families()).toEqual([[expect.objectContaining({ name: 'up' }), { name: 'h', type: 'histogram', help: 'A.', unit: '' }]])
    read('# HELP h B.\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 2\nother 1\n')
    expect(families()).toEqual([[expect.objectContaining({ name: 'up' }), { name: 'h', type: 'histogram', help: 'B.', unit: '' }]])
  })

  test('ends all series, report series included, when the target goes', () => {
    const target = new Fixture()
    target.scrape('a 1\n')
    target.series.writeEnd(target.sink, 9000)
    expect(target.sink.take()).toEqual(['a{instance="h:1"} stale@9000', 'up{instance="h:1"} stale@9000'])
    target.series.writeEnd(target.sink, 9000)
    expect(target.sink.take()).toEqual([])
  })

  test('forgets symbols of series long gone', () => {
    const target = new Fixture()
    let symbols = 0
    const sink = { append: (batch: ScrapeBatch) => void (symbols = batch.layout.symbolCount) }
    for (let i = 0; i < 3000; i++) {
      target.series.read(Buffer.from(`steady 1\na{pod="pod-${i}"} 1\n`), new TextParser())
      target.series.write(sink, i, i, [1])
    }
    expect(symbols).toBeLessThan(1100)
    expect(target.scrape('steady 1\n').filter((line) => !line.includes('stale'))).toEqual(['steady 1'])
  })
})

test('refuses what stands behind the end marker, also when all before it is known', () => {
  const target = new Fixture()
  target.scrape('a 1\n# EOF\n', new OpenMetricsParser())
  expect(() => target.scrape('a 1\n# EOF\nb 1\n# EOF\n', new OpenMetricsParser())).toThrow('unexpected data after # EOF')
  expect(() => target.scrape('a 1\n', new OpenMetricsParser())).toThrow('data does not end with # EOF')
  expect(target.scrape('a 2\n# EOF\n', new OpenMetricsParser())).toEqual(['a 2'])
})

describe('an answer read in windows', () => {
  test('goes on from a whole one and back, with the same series', () => {
    const target = new Fixture()
    target.scrape('a 1\nb 2\nc 3\n')
    expect(target.stream('a 2\nb 3\nc 4\n')).toEqual(['a 2', 'b 3', 'c 4'])
    expect(target.series.counts).toEqual({ scraped: 3, kept: 3, seriesAdded: 0, duplicates: 0 })
    expect(target.scrape('a 3\nc 5\n')).toEqual(['a 3', 'b stale', 'c 5'])
    expect(target.sink.layouts.size).toBe(2)
  })

  test('keeps explicit timestamps, exemplars and further samples of a series', () => {
    const target = new Fixture()
    const parser = (): OpenMetricsParser => new OpenMetricsParser()
    const body = '# TYPE a counter\na_total 1 # {t="x"} 1 0.5\nb 2 0.25\nb 3 0.5\nc 4\n# EOF\n'
    expect(target.stream(body, 16, parser())).toEqual(['a_total 1', 'b 2@250', 'b 3@500', 'c 4'])
    expect(target.sink.exemplars.splice(0)).toEqual(['a_total{instance="h:1"} {t="x"} 1@500'])
    expect(target.stream(body, 16, parser())).toEqual(['a_total 1', 'c 4'])
    expect(target.sink.exemplars.splice(0)).toEqual([])
    expect(target.stream(body.replace('# {t="x"} 1 0.5', '# {t="y"} 2 0.75').replace('b 3 0.5', 'b 3 0.75'), 16, parser())).toEqual([
      'a_total 1',
      'b 3@750',
      'c 4',
    ])
    expect(target.sink.exemplars.splice(0)).toEqual(['a_total{instance="h:1"} {t="y"} 2@750'])
    const moved = `# a comment first\nc 5\n${body.replace('c 4\n', '').replace('{t="x"}', '{t="z"}').replace('1 0.5', '1 0.9')}`.replace(
      '# a comment first\n',
      '',
    )
    expect(target.stream(moved, 16, parser())).toEqual(['a_total 1', 'c 5'])
    expect(target.sink.exemplars.splice(0)).toEqual(['a_total{instance="h:1"} {t="z"} 1@900'])
  })

  test('remembers the exemplars of an answer only if all of it was read', () => {
    const target = new Fixture()
    target.stream('# TYPE a counter\na_total 1\n# EOF\n', 16, new OpenMetricsParser())
    const body = '# TYPE a counter\na_total 1 # {t="x"} 1 0.5\n'
    expect(() => target.stream(`${body}b x\n# EOF\n`, 16, new OpenMetricsParser())).toThrow(ExpositionError)
    target.fail()
    target.stream(`${body}# EOF\n`, 16, new OpenMetricsParser())
    expect(target.sink.exemplars).toEqual(['a_total{instance="h:1"} {t="x"} 1@500'])
  })

  test('counts what relabeling drops and what repeats, moved or not', () => {
    const target = new Fixture()
    const body = 'a 1\ndrop_me 2\na 3\n'
    for (const text of [body, body, `b 1\n${body}`, `b 1\n${body}`]) {
      target.stream(text)
      const more = text.startsWith('b') ? 1 : 0
      const { scraped, kept, duplicates } = target.series.counts
      expect({ scraped, kept, duplicates }).toEqual({ scraped: 3 + more, kept: 2 + more, duplicates: 1 })
    }
  })

  test('is refused where it breaks, with the line, and leaves nothing', () => {
    const target = new Fixture()
    target.stream('a 1\nb 2\nc 3\nd 4\ne 5\n')
    expect(() => target.stream('a 7\nb 2\nc 3\nnew 1\nd x\ne 5\n')).toThrow('(line 5)')
    expect(target.fail()).toEqual(['a stale', 'b stale', 'c stale', 'd stale', 'e stale'])
    expect(target.stream('a 1\nb 2\nc 3\nd 4\ne 5\n')).toEqual(['a 1', 'b 2', 'c 3', 'd 4', 'e 5'])
    expect(target.series.counts.seriesAdded).toBe(0)
  })

  test('is refused at the first sample over the limit', () => {
    const target = new Fixture({ sampleLimit: 4 })
    expect(target.stream('a 1\nb 2\nc 3\nd 4\n')).toEqual(['a 1', 'b 2', 'c 3', 'd 4'])
    const more = Array.from({ length: 100 }, (_, i) => `e${i} 1\n`).join('')
    expect(() => target.stream(`a 1\nb 2\nc 3\nd 4\n${more}`)).toThrow('sample limit exceeded')
    expect(target.series.counts.scraped).toBeLessThan(12)
  })

  test('has one end marker, at the end', () => {
    const target = new Fixture()
    const stream = (body: string): string[] => target.stream(body, 8, new OpenMetricsParser())
    expect(stream('a 1\n# EOF\n')).toEqual(['a 1'])
    expect(stream('a 1\n# EOF\n')).toEqual(['a 1'])
    expect(stream('a 1\n# EOF')).toEqual(['a 1'])
    for (const body of ['a 1\n# EOF\nb 1\nc 1\nd 1\n# EOF\n', 'a 1\n# EOF\n\n'])
      expect(() => stream(body)).toThrow('unexpected data after # EOF')
    for (const body of ['', 'a 1\n', 'a 1\nb 1\nc 1\n']) expect(() => stream(body)).toThrow('data does not end with # EOF')
  })

  test('may have blank lines, lines longer than a window and no line feed at its end', () => {
    const target = new Fixture()
    const long = `long{x="${'y'.repeat(500)}"}`
    for (let round = 1; round < 4; round++) {
      const written = target.stream(`\n\na ${round}\n\n  \n${long} ${round}\n\nb ${round}\n\n\nc ${round}`)
      expect(written.map((line) => line.replaceAll(/\{.*\}/g, ''))).toEqual(['a', 'b', 'c', 'long'].map((name) => `${name} ${round}`))
      expect(target.series.counts.scraped).toBe(4)
    }
    expect(target.stream('\n'.repeat(100))).toHaveLength(4)
  })
})

test('a part of the layouts is made anew when its series change, the others stay', () => {
  const target = new Fixture({ partSize: 10 })
  const lines = Array.from({ length: 95 }, (_, i) => `m{i="${i}"} 1\n`)
  target.stream(lines.join(''), 100)
  expect(target.sink.layouts.size).toBe(10)
  const changed = lines.toSpliced(50, 1, 'm{i="new"} 1\n')
  expect(target.stream(changed.join(''), 100)).toContain('m{i="50"} stale')
  // The marker has the old layout; the newcomer goes to the emptiest part.
  expect(target.sink.layouts.size).toBe(12)
  target.stream(changed.join(''), 100)
  expect(target.sink.layouts.size).toBe(12)
  expect(target.series.seriesCount).toBe(95)
})

test('ends the series that other rules make no more, at the first scrape under them', () => {
  const before = new Fixture()
  before.scrape('a 1\nb 2\nc 3\n')
  const after = new Fixture(
    { makeLabels: (labels) => (labels.get('__name__') === 'b' ? undefined : labels.with('instance', 'h:1')) },
    before.series,
  )
  expect(after.scrape('a 1\nb 2\nd 3\n')).toEqual(['a 1', 'b stale', 'c stale', 'd 3'])
  expect(after.scrape('a 1\nb 2\nd 3\n')).toEqual(['a 1', 'd 3'])
  const failed = new Fixture({}, before.series)
  expect(failed.fail()).toEqual(['a stale', 'b stale', 'c stale'])
  expect(failed.fail()).toEqual([])
})

// The slow, obvious version: what a scrape writes, as sets of texts.
function expectedWrites(previous: ReadonlySet<string>, lines: readonly Line[]): { writes: string[]; present: Set<string> } {
  const present = new Map<string, string>()
  for (const { key, value } of lines) if (!present.has(key)) present.set(key, value)
  const writes = [...present].map(([key, value]) => `${key} ${value}`)
  for (const key of previous) if (!present.has(key)) writes.push(`${key} stale`)
  return { writes: writes.sort(), present: new Set(present.keys()) }
}

interface Line {
  readonly key: string
  readonly value: string
}

const line = fc.record({
  key: fc.constantFrom('a', 'b', 'cc', 'd{, x="1"}', 'd{, x="2"}', 'eeeeeeeeeeeeeee', 'f', 'g'),
  value: fc.nat(2000).map(String),
})
const answer = fc.oneof(
  { weight: 6, arbitrary: fc.array(line, { maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constant('failure' as const) },
)

describe('TargetSeries against the slow version', () => {
  test.each([
    { openMetrics: false, streams: false, partSize: 1000 },
    { openMetrics: true, streams: false, partSize: 1000 },
    { openMetrics: false, streams: false, partSize: 3 },
    { openMetrics: false, streams: true, partSize: 1000 },
    { openMetrics: true, streams: true, partSize: 3 },
    { openMetrics: false, streams: true, partSize: 2 },
    { openMetrics: false, streams: 'now and then', partSize: 3 },
  ])('writes the same for any run of answers: %o', ({ openMetrics, streams, partSize }) => {
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 12 }), fc.boolean(), fc.integer({ min: 1, max: 60 }), (answers, sorted, windowBytes) => {
        const target = new Fixture({ partSize })
        let present: ReadonlySet<string> = new Set()
        for (const lines of answers) {
          if (lines === 'failure') {
            expect(target.fail()).toEqual([...present].map((key) => `${key} stale`).sort())
            present = new Set()
            continue
          }
          const ordered = sorted ? lines.toSorted((a, b) => (a.key < b.key ? -1 : 1)) : lines
          const expected = expectedWrites(present, ordered)
          const text = ordered.map(({ key, value }) => `${key.replace('{, ', '{')} ${value}\n`).join('')
          const parser = openMetrics ? new OpenMetricsParser() : new TextParser()
          const body = openMetrics ? `${text}# EOF\n` : text
          const isStreamed = streams === true || (streams !== false && lines.length % 2 === 0)
          expect(isStreamed ? target.stream(body, windowBytes, parser) : target.scrape(body, parser)).toEqual(expected.writes)
          expect(target.series.seriesCount).toBe(expected.present.size)
          present = expected.present
        }
      }),
      { numRuns: 600 },
    )
  })
})
