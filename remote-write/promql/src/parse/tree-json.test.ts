import { describe, expect, it } from 'vitest'
import { parseExpression } from './parse.ts'
import { describeTree } from './tree-json.ts'

const tree = (text: string) => describeTree(parseExpression(text, { binopFillModifiers: true }))
const up = {
  type: 'vectorSelector',
  name: 'up',
  matchers: [{ name: '__name__', value: 'up', type: '=' }],
  ...{ offset: 0, offsetExpr: null, timestamp: null, startOrEnd: null, anchored: false, smoothed: false },
}

describe('describeTree', () => {
  it('shows selectors with their modifiers in milliseconds', () => {
    expect(tree('up')).toEqual(up)
    expect(tree('up{a!~"b"}[5m] @ 1.5 offset -1m')).toEqual({
      ...up,
      type: 'matrixSelector',
      matchers: [{ name: 'a', value: 'b', type: '!~' }, ...up.matchers],
      ...{ range: 300_000, rangeExpr: null, offset: -60_000, timestamp: 1500 },
    })
    expect(tree('up[1h:5m] @ end()')).toEqual({
      type: 'subquery',
      expr: up,
      ...{ range: 3_600_000, rangeExpr: null, step: 300_000, stepExpr: null },
      ...{ offset: 0, offsetExpr: null, timestamp: null, startOrEnd: 'end' },
    })
  })

  it('shows durations that are computed as trees in seconds, a number in parentheses among them', () => {
    const number = (val: string, duration: boolean) => ({ type: 'numberLiteral', val, duration })
    const operation = (op: string, lhs: unknown, rhs: unknown, wrapped = false) => ({ type: 'durationExpr', op, lhs, rhs, wrapped })
    expect(tree('up[(1m + 30.5) * 2:step()] offset -(range() / 2)')).toMatchObject({
      ...{ range: 0, step: 0, offset: 0, stepExpr: operation('step', null, null) },
      rangeExpr: operation('*', operation('+', number('60', true), number('30.5', false), true), number('2', false)),
      offsetExpr: operation('-', null, operation('/', operation('range', null, null), number('2', false), true)),
    })
    expect(tree('up[max_of(step(), 1m)] offset +step()')).toMatchObject({
      rangeExpr: operation('max_of', operation('step', null, null), number('60', true)),
      offsetExpr: operation('+', null, operation('step', null, null)),
    })
    expect(tree('up[+(5m)] offset (-(1m))')).toMatchObject({
      ...{ range: 0, rangeExpr: operation('+', null, number('300', true), true) },
      ...{ offset: 0, offsetExpr: operation('-', null, operation('+', null, number('60', true), true), true) },
    })
    expect(tree('up[+5m] offset -1m')).toMatchObject({ range: 300_000, rangeExpr: null, offset: -60_000, offsetExpr: null })
  })

  it('shows calls with the signature of the function', () => {
    expect(tree('round(up, 1e21)')).toEqual({
      type: 'call',
      func: { name: 'round', argTypes: ['vector', 'scalar'], variadic: 1, returnType: 'vector' },
      args: [up, { type: 'numberLiteral', val: '1000000000000000000000' }],
    })
  })

  it('shows operators, aggregations, signs, parentheses and texts', () => {
    expect(tree('-(up) > bool on (a) group_left (b) fill_left (2) up')).toEqual({
      type: 'binaryExpr',
      op: '>',
      lhs: { type: 'unaryExpr', op: '-', expr: { type: 'parenExpr', expr: up } },
      rhs: up,
      matching: { card: 'many-to-one', labels: ['a'], on: true, include: ['b'], fillValues: { lhs: 2, rhs: null } },
      bool: true,
    })
    expect(tree('1 + 2')).toMatchObject({ matching: null, bool: false })
    expect(tree('count_values without (x) ("a", up)')).toEqual({
      type: 'aggregation',
      op: 'count_values',
      expr: up,
      param: { type: 'stringLiteral', val: 'a' },
      grouping: ['x'],
      without: true,
    })
    expect(tree('sum(up)')).toMatchObject({ param: null, grouping: [], without: false })
  })
})
