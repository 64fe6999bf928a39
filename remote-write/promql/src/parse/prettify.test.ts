import { describe, expect, it } from 'vitest'
import { parseExpression } from './parse.ts'
import { prettifyExpression } from './prettify.ts'

const prettify = (text: string) => prettifyExpression(parseExpression(text))
const long = 'metric_with_a_long_name_that_takes_much_of_a_line{instance="somewhere",job="something"}'

describe('prettifyExpression', () => {
  it('leaves what fits into a line on one', () => {
    expect(prettify('sum(rate(x{b="2",a="1"}[5m]))by(job)')).toBe('sum by (job) (rate(x{a="1",b="2"}[5m]))')
    const name = 'x'.repeat(95)
    expect(prettify(`abs(${name})`)).toBe(`abs(${name})`)
    expect(prettify(`abs(${name}y)`)).toBe(`abs(\n  ${name}y\n)`)
  })

  it('breaks operators, calls, aggregations and parentheses', () => {
    expect(prettify(`topk(5, (sum by (job) (rate(${long}[5m])))) > bool on(job) group_left 3 * ${long}`)).toBe(
      [
        '  topk(',
        '    5,',
        '    (',
        '      sum by (job) (',
        `        rate(${long}[5m])`,
        '      )',
        '    )',
        '  )',
        '> bool on (job) group_left ()',
        `  3 * ${long}`,
      ].join('\n'),
    )
  })

  it('keeps a sign with its operand and the window of a subquery with its expression', () => {
    expect(prettify(`-abs(${long} + 1234567)`)).toBe(`-abs(\n  ${long} + 1234567\n)`)
    expect(prettify(`rate((${long} + 1234567)[5m:1m] offset 1h)`).split('\n')).toEqual([
      'rate(',
      `  (${long} + 1234567)[5m:1m] offset 1h`,
      ')',
    ])
  })
})
