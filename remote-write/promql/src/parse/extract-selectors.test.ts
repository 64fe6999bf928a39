import { expect, test } from 'vitest'
import { extractSelectors } from './extract-selectors.ts'
import { parseExpression } from './parse.ts'

test.each([
  ['1 + 2', []],
  ['"text"', []],
  ['up', ['__name__="up"']],
  ['rate(a{b="c"}[5m] offset 1m) > bool (-d or {e=~"f"})', ['b="c",__name__="a"', '__name__="d"', 'e=~"f"']],
  ['quantile by (x) (scalar(q), max_over_time(m[1h:1m]))', ['__name__="q"', '__name__="m"']],
])('finds the selectors of %s', (query, selectors) => {
  expect(extractSelectors(parseExpression(query)).map((matchers) => matchers.join())).toEqual(selectors)
})
