import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ExpositionError } from './exposition-error.ts'
import { OpenMetricsParser } from './openmetrics-parser.ts'
import { entryEnd, entryHelp, entrySample, entryType, entryUnit } from './parser.ts'
import type { ExpositionParser } from './parser.ts'
import { parseSeriesText } from './series-text.ts'
import { TextParser } from './text-parser.ts'

function read(parser: ExpositionParser, body: string | Uint8Array): string[] {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  // A longer buffer shows a parser that reads past its end.
  const padded = new Uint8Array(bytes.length + 8).fill(0x31)
  padded.set(bytes)
  parser.begin(padded, 0, bytes.length)
  const out: string[] = []
  for (;;) {
    const kind = parser.next()
    if (kind === entryEnd) return out
    if (kind === entryHelp) out.push(`HELP ${parser.name()} ${parser.text()}`)
    if (kind === entryType) out.push(`TYPE ${parser.name()} ${parser.type}`)
    if (kind === entryUnit) out.push(`UNIT ${parser.name()} ${parser.text()}`)
    if (kind !== entrySample) continue
    const labels = parseSeriesText(padded, parser.seriesStart, parser.seriesEnd, parser.type)
    const time = parser.hasTimestamp ? ` @${parser.timestampMs}` : ''
    out.push(`${labels.metricString()} ${Object.is(parser.value, -0) ? '-0' : parser.value}${time}${parser.hasExemplar ? ' exemplar' : ''}`)
  }
}

const text = (body: string | Uint8Array) => read(new TextParser(), body)
const openMetrics = (body: string | Uint8Array) => read(new OpenMetricsParser(), body)

function errorOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof ExpositionError) return error.message
    throw error
  }
  return 'no error'
}

describe('TextParser', () => {
  test.each<[string, string[]]>([
    ['a 1', ['a 1']],
    ['\n\n  \na 1\n\n', ['a 1']],
    ['a{b="c"}1\n', ['a{b="c"} 1']],
    ['a { b = "c" , } 1 123\n', ['a{b="c"} 1 @123']],
    ['a{b="c"d="e"} 1\n', ['a{b="c", d="e"} 1']],
    ['a\t1  \t 5 \n', ['a 1 @5']],
    ['{"my.metric","label.name"="v"} 1\n', ['{"my.metric", "label.name"="v"} 1']],
    ['{b="c", "a"} 1\n', ['a{b="c"} 1']],
    ['a{b="x\\ny\\\\z\\"q\\k"} 1\n', ['a{b="x\\ny\\\\z\\"q\\\\k"} 1']],
    ['a{b="two\nlines"} 1\nc 2\n', ['a{b="two\\nlines"} 1', 'c 2']],
    ['a{b="nul\0"} 1\n', ['a{b="nul\\x00"} 1']],
    ['a 1\n\0rest', ['a 1']],
    ['# HELP a  two blanks\\n\\\\ \n', ['HELP a  two blanks\n\\ ']],
    ['#HELP a b\n# HELPx\n#\n#  TYPE a counter\n', ['TYPE a counter']],
    ['# HELP a\n# HELP b \n', ['HELP a ', 'HELP b ']],
    ['# HELP "my.metric" text\n', ['HELP my.metric text']],
    ['# TYPE a untyped\n', ['TYPE a unknown']],
    ['a +1\na -0\na .5\na 5.\na 1e3\na 1E-3\n', ['a 1', 'a -0', 'a 0.5', 'a 5', 'a 1000', 'a 0.001']],
    ['a Inf\na -inf\na +INFINITY\na nan\n', ['a Infinity', 'a -Infinity', 'a Infinity', 'a NaN']],
    ['a 0.30000000000000004\na 1.7976931348623157e308\na 5e-324\n', ['a 0.30000000000000004', 'a 1.7976931348623157e+308', 'a 5e-324']],
    ['a{b=""} 1\n', ['a 1']],
  ])('accepts %j', (body, expected) => {
    expect(text(body)).toEqual(expected)
  })

  test.each<[string, string]>([
    ['a\n', 'expected value after metric, got "\\n" ("INVALID") while parsing: "a\\n" (line 1)'],
    ["a{b='c'} 1\n", 'expected label value, got "\'" ("INVALID") while parsing: "a{b=\'" (line 1)'],
    ['a{b=\n', 'expected label value, got "\\n" ("INVALID") while parsing: "a{b=\\n" (line 1)'],
    ['a true\n', 'strconv.ParseFloat: parsing "true": invalid syntax while parsing: "a true" (line 1)'],
    [
      'something_weird{problem="',
      'expected label value, got "\\"\\n" ("INVALID") while parsing: "something_weird{problem=\\"\\n" (line 1)',
    ],
    ['empty_label_name{=""} 0', 'expected label name, got "=\\"" ("EQUAL") while parsing: "empty_label_name{=\\"" (line 1)'],
    ['foo 1_2\n', 'unsupported character in float while parsing: "foo 1_2" (line 1)'],
    ['foo 0x1p-3\n', 'unsupported character in float while parsing: "foo 0x1p-3" (line 1)'],
    ['foo 0 1_2\n', 'expected next entry after timestamp, got "_" ("INVALID") while parsing: "foo 0 1_" (line 1)'],
    ['ok 1\nfoo 1 -5\n', 'expected timestamp or new record, got "-" ("INVALID") while parsing: "foo 1 -" (line 2)'],
    ['foo 1e400\n', 'strconv.ParseFloat: parsing "1e400": value out of range while parsing: "foo 1e400" (line 1)'],
    ['foo 1\r\n', 'strconv.ParseFloat: parsing "1\\r": invalid syntax while parsing: "foo 1\\r" (line 1)'],
    ['# TYPE a counter\r\n', 'invalid metric type "counter\\r" (line 1)'],
    ['# TYPE a counter \n', 'invalid metric type "counter " (line 1)'],
    ['# TYPE a\n', 'invalid metric type "" (line 1)'],
    ['# TYPE #\n#EOF\n', 'expected metric name after TYPE, got "#" ("INVALID") while parsing: "# TYPE #" (line 1)'],
    ['{a="ok"} 1', 'metric name not set while parsing: "{a=\\"ok\\"} 1" (line 1)'],
    ['{"a","b"} 1', 'metric name already set while parsing: "{\\"a\\",\\"b\\"}" (line 1)'],
    ['{foo} 1', 'expected equal, got "} " ("BCLOSE") while parsing: "{foo} " (line 1)'],
    ['9 1\n', 'expected a valid start token, got "9" ("INVALID") while parsing: "9" (line 1)'],
    ['a{b="c"}{d="e"} 1\n', 'expected value after metric, got "{d" ("BOPEN") while parsing: "a{b=\\"c\\"}{d" (line 1)'],
  ])('refuses %j in the words of Prometheus', (body, expected) => {
    expect(errorOf(() => text(body))).toBe(expected)
  })

  test('refuses bytes that are not UTF-8 in label values and HELP', () => {
    expect(errorOf(() => text(Buffer.from('a{b="\xff"} 1\n', 'latin1')))).toBe('invalid UTF-8 label value: "\\"\\xff\\"" (line 1)')
    expect(errorOf(() => text(Buffer.from('# HELP a \xff\n', 'latin1')))).toBe('help text "\\xff" is not a valid utf8 string (line 1)')
  })

  test.each([0, 1, 6, 7, 8, 15, 16, 17])('refuses a HELP text with a byte that is not UTF-8 behind %i others', (before) => {
    const body = (text: string, end = '') => Buffer.from(`# HELP a ${'x'.repeat(before)}${text}${'y'.repeat(20)}\n${end}`, 'latin1')
    expect(errorOf(() => text(body('\xff')))).toContain('is not a valid utf8 string')
    expect(errorOf(() => openMetrics(body('\xff', '# EOF')))).toContain('is not a valid utf8 string')
    expect(text(body('\xc3\xa9'))).toEqual([`HELP a ${'x'.repeat(before)}é${'y'.repeat(20)}`])
    expect(openMetrics(body('\xc3\xa9', '# EOF'))).toHaveLength(1)
  })

  test.each(['constructor', 'toString', 'Gauge', 'gaug', 'gauges', 'unknown', ''])('refuses the type %j', (type) => {
    expect(errorOf(() => text(`# TYPE a ${type}\n`))).toContain('invalid metric type')
  })

  test('normalises le and quantile under histogram and summary only', () => {
    expect(text('# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1e6",quantile="1"} 1\n')).toEqual([
      'TYPE h histogram',
      'h_bucket{le="1.0"} 1',
      'h_bucket{le="1e+06", quantile="1"} 1',
    ])
    expect(text('# TYPE s summary\ns{quantile="0.5"} 1\ns{quantile="1"} 2\n# TYPE g gauge\ng{quantile="1",le="1"} 3\n')).toEqual([
      'TYPE s summary',
      's{quantile="0.5"} 1',
      's{quantile="1.0"} 2',
      'TYPE g gauge',
      'g{le="1", quantile="1"} 3',
    ])
  })

  test('refuses a label name that stands twice', () => {
    expect(() => text('a{b="1",b="2"} 1\n')).toThrow('label name "b" is not unique: invalid sample')
    expect(() => text('a{__name__="b"} 1\n')).toThrow('label name "__name__" is not unique: invalid sample')
  })

  test.each([15, 16, 100_000])('tells a label name that stands twice from %i others', (count) => {
    const labels = Array.from({ length: count }, (_, i) => `l${i}="1"`).join()
    expect(text(`a{${labels}} 1\n`)).toHaveLength(1)
    expect(() => text(`a{${labels},l${count - 1}="2"} 1\n`)).toThrow(`label name "l${count - 1}" is not unique: invalid sample`)
  })
})

describe('OpenMetricsParser', () => {
  test.each<[string, string[]]>([
    ['# EOF', []],
    ['a 1\n# EOF\n', ['a 1']],
    ['a{b="c",} 1 1.5\n# EOF\n', ['a{b="c"} 1 @1500']],
    ['a 1 -1.2345\n# EOF\n', ['a 1 @-1234']],
    [
      '# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds x\\"y\n# EOF\n',
      ['TYPE a_seconds counter', 'UNIT a_seconds seconds', 'HELP a_seconds x"y'],
    ],
    ['a_total 1 # {id="x"} 4\n# EOF\n', ['a_total 1 exemplar']],
    ['a_total 1 2 # {"i.d"="x",b="y"} 4 5\n# EOF\n', ['a_total 1 @2000 exemplar']],
    ['a_total 1 # {} 4\n# EOF\n', ['a_total 1 exemplar']],
    ['{"my.metric",b="c"} 1\n# EOF\n', ['{"my.metric", b="c"} 1']],
    ['# TYPE x unknown\n# TYPE y gaugehistogram\n# EOF', ['TYPE x unknown', 'TYPE y gaugehistogram']],
  ])('accepts %j', (body, expected) => {
    expect(openMetrics(body)).toEqual(expected)
  })

  test.each<[string, string]>([
    ['', 'data does not end with # EOF (line 1)'],
    ['\n', 'expected a valid start token, got "\\n" ("INVALID") while parsing: "\\n" (line 1)'],
    ['metric', 'expected value after metric, got "metric" ("EOF") while parsing: "metric" (line 1)'],
    ['metric 1', 'data does not end with # EOF (line 1)'],
    ['metric 1\n', 'data does not end with # EOF (line 2)'],
    ['metric_total 1 # {aa="bb"} 4', 'data does not end with # EOF (line 1)'],
    ['a\n#EOF\n', 'expected value after metric, got "\\n" ("INVALID") while parsing: "a\\n" (line 1)'],
    [' a 1\n#EOF\n', 'expected a valid start token, got " " ("INVALID") while parsing: " " (line 1)'],
    ['# TYPE u untyped\n#EOF\n', 'invalid metric type "untyped" (line 1)'],
    ['# TYPE c counter \n#EOF\n', 'invalid metric type "counter " (line 1)'],
    ['#  TYPE c counter\n#EOF\n', 'expected a valid start token, got "#  " ("INVALID") while parsing: "#  " (line 1)'],
    ['# TYPE \n#EOF\n', 'expected metric name after TYPE, got "\\n" ("INVALID") while parsing: "# TYPE \\n" (line 1)'],
    ['# TYPE m\n#EOF\n', 'expected text in TYPE, got "\\n" ("INVALID") while parsing: "# TYPE m\\n" (line 1)'],
    ['# UNIT metric suffix\n#EOF\n', 'unit "suffix" not a suffix of metric "metric" (line 1)'],
    ['a\t1\n#EOF\n', 'expected value after metric, got "\\t" ("INVALID") while parsing: "a\\t" (line 1)'],
    ['a 1\t2\n#EOF\n', 'strconv.ParseFloat: parsing "1\\t2": invalid syntax while parsing: "a 1\\t2" (line 1)'],
    ['a 1 2 \n#EOF\n', 'expected next entry after timestamp, got " \\n" ("INVALID") while parsing: "a 1 2 \\n" (line 1)'],
    ['a 1 1z\n#EOF\n', 'strconv.ParseFloat: parsing "1z": invalid syntax while parsing: "a 1 1z" (line 1)'],
    ['a 1 NaN\n#EOF\n', 'invalid timestamp NaN (line 1)'],
    ['a{b="c"d="e"} 1\n# EOF\n', 'expected comma or brace close, got "d=" ("LNAME") while parsing: "a{b=\\"c\\"d=" (line 1)'],
    ['# EOF\na 1\n', 'unexpected data after # EOF (line 1)'],
    ['{b="c",} 1\n# EOF\n', 'metric name not set while parsing: "{b=\\"c\\",} 1" (line 1)'],
  ])('refuses %j in the words of Prometheus', (body, expected) => {
    expect(errorOf(() => openMetrics(body))).toBe(expected)
  })

  test('marks _created lines of the types that have a start', () => {
    const parser = new OpenMetricsParser()
    const body = Buffer.from('# TYPE a counter\na_created 1\n# TYPE b gauge\nb_created 1\n# EOF\n')
    parser.begin(body, 0, body.length)
    const marks: boolean[] = []
    for (let kind = parser.next(); kind !== entryEnd; kind = parser.next()) if (kind === entrySample) marks.push(parser.isCreated)
    expect(marks).toEqual([true, false])
  })
})

test('the OpenMetrics parser takes every body that the OpenMetrics suite calls good', () => {
  const shared = process.env['NARTHEX_SHARED'] ?? join(import.meta.dirname, '../../../../shared')
  const cases = join(shared, 'conformance/openmetrics')
  const good = readdirSync(cases).filter((name) => !name.startsWith('bad_'))
  expect(good.length).toBeGreaterThan(20)
  for (const name of good) expect(() => openMetrics(readFileSync(join(cases, name, 'metrics'))), name).not.toThrow()
})
