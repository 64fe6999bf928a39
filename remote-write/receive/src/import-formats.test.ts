import { describe, expect, it } from 'vitest'
import { createCsvReader, readJsonLine } from './import-formats.ts'
import { ImportLineError, LineImporter, ImportRefusedError, type ImportAppender, type LineReader } from './import-lines.ts'

function read(reader: LineReader, line: string): [labels: string, timeMs: number, value: number | 'stale'][] {
  const taken: [string, number, number | 'stale'][] = []
  reader(line, (labels, timeMs, value) => taken.push([labels.metricString(), timeMs, value]))
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
  class FakeAppender implements ImportAppender {
    readonly appended: unknown[][] = []
    result = 0
    refByLabels = (labels: { metricString(): string }) => (labels.metricString() === 'no' ? -1 : 1)
    append = (...sample: unknown[]) => {
      this.appended.push(sample)
      return this.result
    }
    commit = () => {}
    rollback = () => {}
    refusal = () => 'too many series'
  }

  it('counts what is refused by reason, and keeps the bits of markers', () => {
    const appender = new FakeAppender()
    const importer = new LineImporter(appender, createCsvReader('1:label:a,2:metric:x,3:time:unix_ms', 0), 1_000)
    const line = (name: string, value: string, time: number) => importer.takeLine(`${name},${value},${time}`)
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

  it('refuses series that the head refuses, and ends when that takes nothing more', () => {
    const appender = new FakeAppender()
    const importer = new LineImporter(appender, createCsvReader('1:metric:no,2:metric:yes', 0), 0)
    appender.result = 7
    expect(() => importer.takeLine('1,1')).toThrow(ImportRefusedError)
    expect(importer.describeRefusals()).toBe('1 × too many series, first no at 0')
  })

  it('wants a name, and labels that can be labels', () => {
    const json = (metric: object) => JSON.stringify({ metric, values: [1], timestamps: [1] })
    const importer = new LineImporter(new FakeAppender(), readJsonLine, 0)
    importer.takeLine('')
    expect(() => importer.takeLine(json({ a: 'b' }))).toThrow('line 2: want a series with a name')
    expect(() => importer.takeLine(json({ __name__: 'x', '': 'b' }))).toThrow('line 3: invalid label ""')
    expect(() => importer.takeLine(json({ __name__: 'x', a: '\ud800' }))).toThrow('line 4: invalid label "a"')
  })
})
