import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ParseError } from './parse-error.ts'
import { functionSignatures } from './functions.ts'
import { parseExpression, parseMetricSelector } from './parse.ts'
import type { ParseOptions } from './parse.ts'
import { printExpression } from './print.ts'

const everything: ParseOptions = { experimentalFunctions: true, binopFillModifiers: true }

function errorOf(text: string, options: ParseOptions = everything): string {
  try {
    parseExpression(text, options)
  } catch (error) {
    if (error instanceof ParseError) return error.message
    throw error
  }
  return 'no error'
}

function reprint(text: string): string {
  return printExpression(parseExpression(text, everything))
}

describe('parseExpression', () => {
  it.each([
    ['', 'unknown position: parse error: no expression found in input'],
    ['# only a comment\n', '1:1: parse error: no expression found in input'],
    ['# ends with a carriage return\rfoo{', '1:35: parse error: unexpected end of input inside braces'],
    ['1+', '1:3: parse error: unexpected end of input'],
    ['.', "1:1: parse error: unexpected character: '.'"],
    ['2.5.', '1:1: parse error: bad number or duration syntax: "2.5."'],
    ['100..4', '1:1: parse error: bad number or duration syntax: "100.."'],
    ['0deadbeef', '1:1: parse error: bad number or duration syntax: "0de"'],
    ['*1', '1:1: parse error: unexpected <op:*>'],
    ['(1))', "1:5: parse error: unexpected right parenthesis ')'"],
    ['((1)', '1:5: parse error: unclosed left parenthesis'],
    ['1 and 1', '1:1: parse error: set operator "and" not allowed in binary scalar expression'],
    ['1 == 1', '1:3: parse error: comparisons between scalars must use BOOL modifier'],
    ['1 =~ 1', "1:3: parse error: unexpected character after '=': '~'"],
    ['-"string"', '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "string"'],
    ['-test[5m]', '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "range vector"'],
    ['foo or bool bar', '1:5: parse error: bool modifier can only be used on comparison operators'],
    ['foo + group_left(baz) bar', '1:7: parse error: unexpected <group_left>'],
    ['foo and on(bar) group_left(baz) bar', '1:1: parse error: no grouping allowed for "and" operation'],
    ['a + on(x) group_left(x,y) b', '1:3: parse error: label "x" must not occur in ON and GROUP clause at once'],
    ['a - on(b) ignoring(c) d', '1:11: parse error: unexpected <ignoring>'],
    ['foo{', '1:5: parse error: unexpected end of input inside braces'],
    ['foo}', "1:4: parse error: unexpected character: '}'"],
    ['foo{a=b}', '1:7: parse error: unexpected identifier "b" in label matching, expected string'],
    ['foo{a:b="b"}', "1:6: parse error: unexpected character inside braces: ':'"],
    ['foo{gibberish}', '1:14: parse error: unexpected "}" in label matching, expected label matching operator'],
    ['foo{1}', "1:5: parse error: unexpected character inside braces: '1'"],
    ['{x=""}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
    ['foo{__name__="bar"}', '1:1: parse error: metric name must not be set twice: "foo" or "bar"'],
    ['foo[5mm]', '1:5: parse error: bad number or duration syntax: "5mm"'],
    ['foo[-1]', '1:5: parse error: duration must be greater than 0'],
    ['foo[5m', '1:7: parse error: unclosed left bracket'],
    ['foo[', '1:5: parse error: unexpected end of input in duration expression'],
    ['foo[#]', "1:5: parse error: unexpected character in duration expression: '#'"],
    ['foo[stop()]', "1:5: parse error: unexpected character in duration expression: 's'"],
    ['foo[5m stop()]', "1:8: parse error: unexpected character: 's', expected ':'"],
    ['foo[[5m]]', "1:5: parse error: unexpected character in duration expression: '['"],
    ['foo[:5m]', '1:6: parse error: unexpected colon before duration in duration expression'],
    ['foo[5m:=]', '1:8: parse error: unexpected "=" in subquery selector, expected number, duration, step(), range(), or "]"'],
    ['foo[5m </ 1]', '1:8: parse error: unexpected <op:</> in subquery or range, expected ":" or "]"'],
    ['foo[(5m]', '1:8: parse error: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()'],
    ['foo[5m / 0]', '1:8: parse error: division by zero'],
    ['foo[5m % 0s]', '1:8: parse error: modulo by zero'],
    ['foo offset (range() topk / 4)', '1:21: parse error: unexpected <aggr:topk> in offset, expected number, duration, step(), or range()'],
    ['foo offset --Inf', '1:14: parse error: duration out of range'],
    ['a + fill_left (1) fill (2) b', '1:24: parse error: unexpected "("'],
    ['sum by ("") (a)', '1:9: parse error: invalid label name for grouping: ""'],
    ['info(a, 1)', '1:1: parse error: expected type instant vector in call to function "info", got scalar'],
    ['a[5m] smoothed anchored', '1:1: parse error: anchored and smoothed modifiers cannot be used together'],
    ['a + fill (x) b', '1:11: parse error: unexpected identifier "x"'],
    ['11e', '1:1: parse error: bad number or duration syntax: "11e"'],
    ['(11e)', '1:2: parse error: error parsing number: strconv.ParseFloat: parsing "11e": invalid syntax'],
    ['(1_)', '1:2: parse error: error parsing number: strconv.ParseFloat: parsing "1_": invalid syntax'],
    ['.5.5', '1:1: parse error: error parsing number: strconv.ParseFloat: parsing ".5.5": invalid syntax'],
    ['0x1ee', '1:1: parse error: bad number or duration syntax: "0x1ee"'],
    ['test[5d][5m]', '1:9: parse error: ranges only allowed for vector selectors'],
    ['foo offset 1m[5m]', '1:14: parse error: no offset modifiers allowed before range'],
    ['foo @ 1[5m]', '1:8: parse error: no @ modifiers allowed before range'],
    ['foo offset (step())[5m]', '1:20: parse error: no offset modifiers allowed before range'],
    ['foo @ start() [5m]', '1:15: parse error: no @ modifiers allowed before range'],
    [
      '1 offset 1d',
      '1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
    ],
    ['foo offset 1s offset 2s', '1:1: parse error: offset may not be set multiple times'],
    ['foo @ +Inf', '1:1: parse error: timestamp out of bounds for @ modifier: +Inf'],
    ['rate(foo)', '1:6: parse error: expected type range vector in call to function "rate", got instant vector'],
    ['floor()', '1:1: parse error: expected 1 argument(s) in call to "floor", got 0'],
    ['label_join()', '1:1: parse error: expected at least 3 argument(s) in call to "label_join", got 0'],
    ['hour(a, b)', '1:1: parse error: expected at most 1 argument(s) in call to "hour", got 2'],
    ['nothing_like_it()', '1:1: parse error: unknown function with name "nothing_like_it"'],
    ['floor(1,)', '1:8: parse error: trailing commas not allowed in function call args'],
    ['sum without(==)(foo)', '1:13: parse error: unexpected <op:==> in grouping opts, expected label'],
    ['sum foo by (test)', '1:5: parse error: unexpected identifier "foo"'],
    ['sum(a b)', '1:7: parse error: unexpected identifier "b" in aggregation'],
    ['sum by (a) by (b)', '1:12: parse error: unexpected <by> in aggregation'],
    ['sum(a) + (b c)', '1:13: parse error: unexpected identifier "c"'],
    ['clamp(g, @, 50)', '1:8: parse error: trailing commas not allowed in function call args'],
    ['topk(foo)', '1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1'],
    ['topk(foo, bar)', '1:6: parse error: expected type scalar in aggregation parameter, got instant vector'],
    ['sum()', '1:1: parse error: no arguments for aggregate expression provided'],
    ['sum(1)', '1:5: parse error: expected type instant vector in aggregation expression, got scalar'],
    ['foo + on(a) 1', '1:1: parse error: vector matching only allowed between instant vectors'],
    ['"\\c"', "1:1: parse error: unknown escape sequence U+0063 'c'"],
    ['"open', '1:1: parse error: unterminated quoted string'],
    ['a\n  b', '2:3: parse error: unexpected identifier "b"'],
    ['é', "1:1: parse error: unexpected character: 'é'"],
    ['"é" + ', '1:8: parse error: unexpected end of input'],
  ])('refuses %j', (text, message) => {
    expect(errorOf(text)).toBe(message)
  })

  it.each([
    ['limitk(1, a)', '1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions'],
    ['mad_over_time(a[5m])', '1:1: parse error: function "mad_over_time" is not enabled'],
    ['a + fill(0) b', '1:1: parse error: binop fill modifiers are experimental and not enabled'],
  ])('refuses %j unless its feature is on', (text, message) => {
    expect(errorOf(text, {})).toBe(message)
    expect(errorOf(text)).toBe('no error')
  })

  it.each([
    'sum by (job) (rate(http_requests_total{job="a"}[5m]))',
    'a + on (x) group_left (y) b',
    'a == bool ignoring (x) b',
    'a + ignoring () group_left (x) b',
    '-a ^ 2 * b',
    'foo[5m:1m] @ 1234.500 offset -5m',
    'foo[5m] @ start() offset 3m',
    'foo[29m + 1s:20 * 500ms]',
    'foo offset (step() * 2)',
    'foo[-(-5m)] offset (2m)',
    '{__name__="a.b",x=~"y.*"}',
    'sum without ("a.b", c) (x)',
    'a + fill_left (5) fill_right (7) b',
    'count_values("v", a)',
    '"tab\\t"',
    '5m',
    'info(a, {x="y"})',
    'info(a, {})',
    'rate(a[5m] smoothed)',
  ])('prints %j as it was', (text) => {
    expect(reprint(text)).toBe(text)
  })

  it.each([
    ['x offset -0m', 'x'],
    ['-0y', '-0s'],
    ['Inf ^ 2 + Inf', 'Inf ^ 2 + +Inf'],
    ["label_replace(x, 'a', '\\xff', 'b', '')", 'label_replace(x, "a", "\\xff", "b", "")'],
  ])('prints %j so that it stays the same', (text, printed) => {
    expect([reprint(text), reprint(reprint(text))]).toEqual([printed, printed])
  })

  it('lets keywords be names of metrics and labels', () => {
    expect(reprint('sum + by + offset + start + fill + step')).toBe('sum + by + offset + start + fill + step')
    expect(reprint('sum by (on, bool, offset, avg) (start{end="1"})')).toBe('sum by (on, bool, offset, avg) (start{end="1"})')
  })

  it('reads numbers as Go does', () => {
    for (const [text, value] of [
      ['0x1F', 31],
      ['1_000', 1000],
      ['1e3', 1000],
      ['.5', 0.5],
      ['inF', Infinity],
      ['-Inf', -Infinity],
      ['5m', 300],
      ['1h30m', 5400],
    ] as const) {
      expect(parseExpression(text)).toMatchObject({ kind: 'number', value })
    }
  })

  it('binds offset tighter than arithmetic', () => {
    expect(parseExpression('a offset 100 + 2')).toMatchObject({ kind: 'binary', left: { offsetMs: 100_000 } })
    expect(parseExpression('-a offset 5m')).toMatchObject({ kind: 'unary', expression: { offsetMs: 300_000 } })
  })

  it('knows 91 functions', () => {
    expect(functionSignatures.size).toBe(91)
    expect([...functionSignatures.values()].filter(({ experimental }) => experimental)).toHaveLength(18)
  })

  it('refuses nesting that would exhaust the stack', () => {
    expect(errorOf('('.repeat(100_000))).toContain('nested deeper')
    expect(errorOf('a or '.repeat(100_000) + 'a')).toContain('nested deeper')
    expect(errorOf('a + '.repeat(499) + 'a')).toBe('no error')
    expect(errorOf('(a + '.repeat(100_000))).toContain('nested deeper')
    expect(errorOf(Array.from({ length: 60 }).reduce<string>((text) => `(${text})${' + 1'.repeat(9)}`, '1'))).toContain('nested deeper')
    expect(errorOf('a' + '[1m:]'.repeat(100_000))).toContain('nested deeper')
    expect(errorOf('-'.repeat(100_000))).toContain('nested deeper')
    expect(errorOf(`a[${'('.repeat(100_000)}`)).toContain('nested deeper')
  })

  it('answers any text with an expression or a ParseError', () => {
    const word = fc.constantFrom(
      'a',
      'rate(',
      'sum',
      'by',
      '(',
      ')',
      '{',
      '}',
      '[',
      ']',
      '5m',
      '1',
      '"x"',
      '=',
      '=~',
      ',',
      ':',
      '@',
      'offset',
      '-',
      'on',
      ' ',
      '#',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word).map((words) => words.join(' ')),
        ),
        (text) => {
          try {
            const printed = reprint(text)
            expect(reprint(printed)).toBe(printed)
          } catch (error) {
            expect(error).toBeInstanceOf(ParseError)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('parseMetricSelector', () => {
  it('gives the matchers, that of the name last', () => {
    expect(parseMetricSelector('up{job=~"a|b"}').map(String)).toEqual(['job=~"a|b"', '__name__="up"'])
  })

  it('refuses anything else', () => {
    expect(parseMetricSelector('up{__name__="x"}').map(String)).toEqual(['__name__="x"', '__name__="up"'])
    for (const text of ['up[5m]', 'up offset 5m', 'rate(up[5m])', '{}']) expect(() => parseMetricSelector(text)).toThrow(ParseError)
  })
})
