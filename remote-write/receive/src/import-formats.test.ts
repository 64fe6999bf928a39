import { describe, expect, it } from 'vitest'
import { createCsvReader, histogramLineLengthMax, readJsonLine } from './import-formats.ts'
import { ImportLineError } from './import-line-error.ts'
import { LineImporter, ImportRefusedError, type ImportAppender, type ImportedValue, type LineReader } from './import-lines.ts'

function read(reader: LineReader, line: string): [labels: string, timeMs: number, value: ImportedValue][] {
  const taken: [string, number, ImportedValue][] = []
  const pieces = reader(line, (labels, timeMs, value) => taken.push([labels.metricString(), timeMs, value]))
  for (const _piece of pieces ?? []);
  return taken
}

describe('a line of JSON', () => {
  it('has values beyond those of JSON by name', () => {
    const line = '{"metric":{"__name__":"x","a":"b"},"values":[1.5,null,"Infinity","-Inf","stale"],"timestamps":[1,2,3,4,-5]}'
    expect(read(readJsonLine, line)).toEqual([
      ['x{a="b"}', 1, 1.5],
      ['x{a="b"}', 2, NaN],
      ['x{a="b"}', 3, Infinity],
      ['x{a="b"}', 4, -Infinity],
      ['x{a="b"}', -5, 'stale'],
    ])
  })

  it.each([
    ['{', 'cannot read JSON'],
    ['7', 'want an object'],
    ['{"metric":[],"values":[],"timestamps":[]}', 'want "metric" to be an object'],
    ['{"metric":{"a":1},"values":[],"timestamps":[]}', 'want a text for label "a"'],
    ['{"metric":{},"values":[1],"timestamps":[]}', 'want as many values as timestamps, got 1 and 0'],
    ['{"metric":{},"values":["1"],"timestamps":[1]}', 'want a number, null'],
    ['{"metric":{},"values":[1],"timestamps":[1.5]}', 'want timestamps to be whole milliseconds'],
  ])('%s is refused', (line, text) => {
    expect(() => read(readJsonLine, line)).toThrow(ImportLineError)
    expect(() => read(readJsonLine, line)).toThrow(text)
  })
})

describe('a line of JSON with histograms', () => {
  const wrap = (...histograms: readonly unknown[]) =>
    JSON.stringify({ metric: { __name__: 'x' }, histograms, timestamps: histograms.map((_, i) => i) })

  it('has absolute counts of buckets, kinds and hints', () => {
    const integer = {
      ...{ schema: 1, hint: 'reset', count: 9, sum: null, zero_threshold: 0.001, zero_count: 2 },
      ...{
        positive_spans: [
          [-1, 2],
          [3, 1],
        ],
        positive_buckets: [1, 2, 1],
        negative_spans: [[0, 1]],
        negative_buckets: [3],
      },
    }
    const float = {
      ...{ schema: -53, float: true, hint: 'gauge', count: 2.5, sum: 'Infinity' },
      custom_values: [1],
      positive_spans: [[0, 1]],
      positive_buckets: [2.5],
    }
    const [first, second, third] = read(readJsonLine, wrap(integer, float, 'stale'))
    expect(first![2]).toMatchObject({
      isReset: true,
      histogram: {
        isFloat: false,
        isGauge: false,
        sum: NaN,
        zeroCount: 2,
        positiveSpans: [
          { offset: -1, length: 2 },
          { offset: 3, length: 1 },
        ],
        positiveDeltas: [1, 1, -1],
        negativeDeltas: [3],
      },
    })
    expect(second![2]).toMatchObject({
      isReset: false,
      histogram: { isFloat: true, isGauge: true, sum: Infinity, positiveCounts: [2.5], positiveDeltas: [], customValues: [1] },
    })
    expect(third).toEqual(['x', 2, 'stale-histogram'])
  })

  it.each([
    [wrap(1), 'want a histogram as an object, or "stale", got 1'],
    [wrap({ cont: 1 }), 'unknown key "cont" in a histogram'],
    [wrap({ count: '1' }), 'want "count" to be a number, got "1"'],
    [wrap({ count: 1.5 }), 'want whole counts in a histogram that is not "float": true, got 1.5'],
    [wrap({ positive_buckets: 1 }), 'want "positive_buckets" to be an array, got 1'],
    [wrap({ positive_spans: [[1]] }), 'want "positive_spans" to be pairs of an offset and a length, got [[1]]'],
    [wrap({ hint: 'up' }), 'want "hint" to be "gauge" or "reset", got "up"'],
    ['{"metric":{},"histograms":[],"values":[],"timestamps":[]}', 'want "values" or "histograms", got both'],
    ['{"metric":{},"histograms":1,"timestamps":[]}', 'want "histograms" and "timestamps" to be arrays'],
    [`{"histograms":"${'x'.repeat(histogramLineLengthMax)}"}`, 'want lines with histograms of at most 1048576 characters'],
  ])('%.60s is refused', (line, text) => {
    expect(() => read(readJsonLine, line)).toThrow(text)
  })
})

describe('a line of CSV', () => {
  it('has fields in quotes, empty fields, and a carriage return behind it', () => {
    const reader = createCsvReader('3:metric:t,1:label:city,4:metric:h', 99)
    expect(read(reader, '"a, ""b""",skipped,1e3,\r')).toEqual([['t{city="a, \\"b\\""}', 99, 1000]])
    expect(read(reader, ',,-0,NaN')).toEqual([
      ['t', 99, -0],
      ['h', 99, NaN],
    ])
  })

  it.each([
    ['unix_s', '1.5', 1500],
    ['unix_ms', '1500', 1500],
    ['unix_ns', '1500000000', 1500],
    ['rfc3339', '1970-01-01T00:00:01.5Z', 1500],
  ])('has times in %s', (unit, text, timeMs) => {
    expect(read(createCsvReader(`2:time:${unit},1:metric:m`, 0), `1,${text}`)).toEqual([['m', timeMs, 1]])
  })

  it.each([
    ['', 'no format parameter provided'],
    ['metric:m', 'want POSITION:metric|label|time:NAME'],
    ['0:metric:m', 'want POSITION:metric|label|time:NAME'],
    ['101:metric:m', 'want POSITION:metric|label|time:NAME'],
    ['1:metric:m,1:label:a', 'column 1 is named twice'],
    ['1:label:a', 'want a column with the values of a metric'],
    ['1:value:m', 'unknown kind of column "value"'],
    ['1:metric:m,2:time:days', 'unknown unit "days"'],
    ['1:metric:m,2:time:unix_s,3:time:unix_s', 'want one column of time at most'],
  ])('of the format %j is refused', (format, text) => {
    expect(() => createCsvReader(format, 0)).toThrow(text)
  })
})

describe('an import', () => {
  /** Returns after how many samples it gave others their turn. */
  function takeAll(importer: LineImporter, ...lines: readonly string[]): number[] {
    return Array.from(importer.takeLines(lines), () => {
      importer.commit()
      return importer.imported
    })
  }

  class FakeAppender implements ImportAppender {
    readonly appended: unknown[][] = []
    result = 0
    refByLabels = (labels: { metricString(): string }) => (labels.metricString() === 'no' ? -1 : 1)
    append = (...sample: unknown[]) => {
      this.appended.push(sample)
      return this.result
    }
    appendHistogram = (...sample: unknown[]) => {
      this.appended.push(sample)
      return this.result
    }
    appendStaleHistogram = (...sample: unknown[]) => {
      this.appended.push(sample)
      return 0
    }
    commit = () => {}
    rollback = () => {}
    refusal = () => 'too many series'
  }

  it('counts what is refused by reason, and keeps the bits of markers', () => {
    const appender = new FakeAppender()
    const importer = new LineImporter(appender, createCsvReader('1:label:a,2:metric:x,3:time:unix_ms', 0), 1_000)
    const line = (name: string, value: string, time: number) => takeAll(importer, `${name},${value},${time}`)
    line('', 'stale', 5)
    line('', 'NaN', 6)
    // Ten minutes ahead is the last time that is taken.
    line('', '1', 601_000)
    line('', '1', 601_001)
    appender.result = 2
    line('', '1', 7)
    importer.commit()
    expect(appender.appended).toEqual([
      [1, 5, 2, 0x7ff00000],
      [1, 6, 1, 0x7ff80000],
      [1, 601_000, 0, 0x3ff00000],
      [1, 7, 0, 0x3ff00000],
    ])
    expect([importer.imported, importer.refused]).toEqual([3, 2])
    expect(importer.describeRefusals()).toBe(
      '1 × out of bounds: timestamp is too far in the future, first x at 601001\n1 × out of order sample, first x at 7',
    )
  })

  it('gives others their turn every four thousand samples, in the middle of a line too', () => {
    const importer = new LineImporter(new FakeAppender(), readJsonLine, 1e6)
    const line = JSON.stringify({
      metric: { __name__: 'x' },
      values: new Array(10_000).fill(1),
      timestamps: Array.from({ length: 10_000 }, (_, i) => i),
    })
    expect(takeAll(importer, line, '', '')).toEqual([4096, 8192])
    const few = JSON.stringify({ metric: { __name__: 'x' }, values: [1, 1], timestamps: [1, 2] })
    expect(takeAll(importer, ...new Array<string>(2000).fill(few))).toHaveLength(1)
  })

  it('appends histograms, and the end of a series as of the kind that it was', () => {
    const appender = new FakeAppender()
    const importer = new LineImporter(appender, readJsonLine, 1e6)
    const histograms = [
      { count: 1, float: true, positive_spans: [[0, 1]], positive_buckets: [1] },
      'stale',
      { count: 1, hint: 'reset' },
      'stale',
    ]
    takeAll(importer, JSON.stringify({ metric: { __name__: 'x' }, histograms, timestamps: [1, 2, 3, 4] }))
    expect(appender.appended.map((sample) => sample.filter((part) => typeof part !== 'object'))).toEqual([
      [1, 1, 0],
      [1, 2, true],
      [1, 3, 2],
      [1, 4, false],
    ])
    appender.result = 8
    takeAll(importer, JSON.stringify({ metric: { __name__: 'x' }, histograms: histograms.slice(0, 1), timestamps: [9] }))
    expect(importer.describeRefusals()).toBe('1 × too many series, first x at 9')
  })

  it('refuses series that the head refuses, and ends when that takes nothing more', () => {
    const appender = new FakeAppender()
    const importer = new LineImporter(appender, createCsvReader('1:metric:no,2:metric:yes', 0), 0)
    appender.result = 7
    expect(() => takeAll(importer, '1,1')).toThrow(ImportRefusedError)
    expect(importer.describeRefusals()).toBe('1 × too many series, first no at 0')
  })

  it('wants a name, and labels that can be labels', () => {
    const json = (metric: object) => JSON.stringify({ metric, values: [1], timestamps: [1] })
    const importer = new LineImporter(new FakeAppender(), readJsonLine, 0)
    takeAll(importer, '')
    expect(() => takeAll(importer, json({ a: 'b' }))).toThrow('line 2: want a series with a name')
    expect(() => takeAll(importer, json({ __name__: 'x', '': 'b' }))).toThrow('line 3: invalid label ""')
    expect(() => takeAll(importer, json({ __name__: 'x', a: '\ud800' }))).toThrow('line 4: invalid label "a"')
  })
})
