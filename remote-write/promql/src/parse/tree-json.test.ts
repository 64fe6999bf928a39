import { describe, expect, it } from 'vitest'
import { parseExpression } from './parse.ts'
import { describeTree } from './tree-json.ts'

const tree = (text: string) => describeTree(parseExpression(text, { binopFillModifiers: true }))
const up = {
  type: 'vectorSelector',
  name: 'up',
  matchers: [{ name: '__name__', value: 'up', type: '=' }],
  ...{ offset: 0, timestamp: null, startOrEnd: null, anchored: false, smoothed: false },
}

describe('describeTree', () => {
  it('shows selectors with their modifiers in milliseconds', () => {
    expect(tree('up')).toEqual(up)
    expect(tree('up{a!~"b"}[5m] @ 1.5 offset -1m')).toEqual({
      ...up,
      type: 'matrixSelector',
      matchers: [{ name: 'a', value: 'b', type: '!~' }, ...up.matchers],
      ...{ range: 300_000, offset: -60_000, timestamp: 1500 },
    })
    expect(tree('up[1h:5m] @ end()')).toEqual({
      type: 'subquery',
      expr: up,
      ...{ range: 3_600_000, step: 300_000, offset: 0, timestamp: null, startOrEnd: 'end' },
    })
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
