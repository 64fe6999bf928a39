import { describe, expect, test } from 'vitest'
import { deleteMatchers, setMatcher } from './edit-matchers.ts'
import { parseExpression } from './parse.ts'
import { printExpression } from './print.ts'

describe('a matcher is set', () => {
  test.each([
    ['up', '=', 'job', 'a', 'up{job="a"}'],
    ['up{job="b"}', '=', 'job', 'a', 'up{job="a"}'],
    ['up{job!="b",instance="c"}', '=~', 'job', 'a|b', 'up{instance="c",job=~"a|b"}'],
    ['{job=~"x",job!~"y"}', '!=', 'job', 'a', '{job!="a",job!="a"}'],
    ['up', '!~', 'a label', 'b"c', 'up{"a label"!~"b\\"c"}'],
    ['1 + 2', '=', 'job', 'a', '1 + 2'],
    [
      'sum by (job) (rate(a[5m] offset 1m)) / on (job) group_left () (-b @ end())',
      '=',
      'env',
      'p',
      'sum by (job) (rate(a{env="p"}[5m] offset 1m)) / on (job) group_left () (-b{env="p"} @ end())',
    ],
    ['topk(scalar(k), max_over_time(m[1h:1m] @ 5))', '=', 'z', '', 'topk(scalar(k{z=""}), max_over_time(m{z=""}[1h:1m] @ 5.000))'],
    ['up{job="a"}', '=', '__name__', 'down', 'down{job="a"}'],
    ['up{job="a"}', '=', '__name__', 'not.legacy', '{"not.legacy",job="a"}'],
    ['up{job="a"}', '=~', '__name__', 'up|down', '{__name__=~"up|down",job="a"}'],
    ['{__name__=~"u.*"}', '=', '__name__', 'up', '{__name__="up"}'],
    ['{job="a"}', '=', '__name__', 'up', '{__name__="up",job="a"}'],
  ] as const)('in %s', (query, type, name, value, wanted) => {
    expect(printExpression(setMatcher(parseExpression(query), type, name, value))).toBe(wanted)
  })

  test('and the expression that it came from stays as it was', () => {
    const expression = parseExpression('sum(up{job="a"})')
    setMatcher(expression, '=', 'job', 'b')
    expect(printExpression(expression)).toBe('sum(up{job="a"})')
  })

  test('unless its pattern cannot be read', () => {
    expect(() => setMatcher(parseExpression('up'), '=~', 'job', '(')).toThrow('missing closing )')
  })
})

describe('matchers are deleted', () => {
  test.each([
    ['up{job="a"}', 'job', 'up'],
    ['up{job="a"}', 'instance', 'up{job="a"}'],
    ['up{job=~"a.*",x="y",job!="ab"}', 'job', 'up{x="y"}'],
    ['sum(rate(a{x="1",y="2"}[5m])) > -b{x="3"}', 'x', 'sum(rate(a{y="2"}[5m])) > -b'],
    ['up{job="a"}', '__name__', '{job="a"}'],
    ['{job="a"}', 'job', '{}'],
  ])('in %s', (query, name, wanted) => {
    expect(printExpression(deleteMatchers(parseExpression(query), name))).toBe(wanted)
  })
})
