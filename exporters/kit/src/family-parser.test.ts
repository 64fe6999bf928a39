import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FamilyParseError, parseFamilies } from './family-parser.ts'

const parse = (text: string) => parseFamilies(new TextEncoder().encode(text))

test('families keep their help, type and samples', () => {
  const text =
    '# a comment\n# HELP a_total Some \\\\ help\\nhere\n# TYPE a_total counter\na_total{b="x\\"\\\\\\n",a="é",} 1e3\n\n' +
    '# TYPE s summary\ns{quantile="0.5",z="1"} NaN\ns_sum{z="1"} 2\ns_count{z="1"} +Inf 123\nplain -0.5\n# TYPE unused gauge\n'
  const sample = { suffix: '', hasTimestamp: false }
  expect(parse(text)).toMatchObject([
    {
      name: 'a_total',
      type: 'counter',
      help: 'Some \\ help\nhere',
      samples: [{ ...sample, labels: ['a', 'é', 'b', 'x"\\\n'], value: 1000 }],
    },
    {
      name: 's',
      type: 'summary',
      help: undefined,
      samples: [
        { ...sample, labels: ['z', '1', 'quantile', '0.5'], value: NaN },
        { suffix: '_sum', labels: ['z', '1'], value: 2, hasTimestamp: false },
        { suffix: '_count', labels: ['z', '1'], value: Infinity, hasTimestamp: true },
      ],
    },
    { name: 'plain', type: 'untyped', samples: [{ ...sample, labels: [], value: -0.5 }] },
  ])
})

test.each([
  ['a 1', 'unexpected end of input stream'],
  ['a\n', 'expected float as value'],
  ['a 0x1p3\n', 'expected float as value'],
  ['a 1 2 3\n', 'spurious string after timestamp'],
  ['a 1 2.5\n', 'expected integer as timestamp'],
  ['1a 1\n', 'invalid metric name'],
  ['a{b="1" 1\n', "expected ','"],
  ['a{b="1",b="2"} 1\n', 'duplicate label names'],
  ['a{b="\\x"} 1\n', 'invalid escape sequence'],
  ['a{b="1\n', 'unescaped new-line'],
  ['a{__name__="b"} 1\n', 'is reserved'],
  ['\ufeffa 1\n', 'invalid metric name'],
  ['# HELP a x\n# HELP a y\na 1\n', 'second HELP line'],
  ['a 1\n# TYPE a gauge\n', 'TYPE reported after samples'],
  ['# TYPE a info\na 1\n', 'unknown metric type'],
  ['# TYPE a histogram\na_bucket{le="x"} 1\n', "expected float as value for 'le' label"],
])('%j is refused', (text, reason) => {
  expect(() => parse(text)).toThrow(reason)
})

test('bytes that are not UTF-8 are refused', () => {
  expect(() => parseFamilies(Uint8Array.of(97, 0xff, 10))).toThrow(FamilyParseError)
})

test('no bytes bring it down with another error', () => {
  const line = fc.stringMatching(/^[#{}"\\a1= ,.eNHELPTY_\t-]{0,20}$/)
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      try {
        parse(lines.map((each) => each + '\n').join(''))
      } catch (error) {
        if (!(error instanceof FamilyParseError)) throw error
      }
    }),
  )
})
