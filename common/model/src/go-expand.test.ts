import { expect, it } from 'vitest'
import { expandTemplate, parseReplacement } from './go-expand.ts'
import { compileRegex } from './regex.ts'

// Results as Go 1.26's Regexp.ExpandString gives them.
it.each([
  ['a(b)c', 'abc', '$1', 'b'],
  ['a(b)c', 'abc', '$1x', ''],
  ['a(b)c', 'abc', '${1}x', 'bx'],
  ['a(b)c', 'abc', '$$1', '$1'],
  ['a(?P<n>b)c', 'abc', '$n-${n}-$nn', 'b-b-'],
  ['(a)(b)?', 'a', '[$2]', '[]'],
  ['(a)', 'a', '$', '$'],
  ['(a)', 'a', '$ $-', '$ $-'],
  ['(a)', 'a', '${1', '${1'],
  ['(a)', 'a', '${}', '${}'],
  ['(a)', 'a', '${1 }', '${1 }'],
  ['(a)', 'a', '$10', ''],
  ['(a)', 'a', '$01', ''],
  ['(a)', 'a', '$é$1', 'a'],
  ['(a)', 'a', '$99999999999', ''],
  ['(a)', 'a', '$1_', ''],
  ['(a)', 'a', '$1-$0', 'a-a'],
  ['(?P<_1>a)', 'a', '$_1', 'a'],
  ['(a)', 'a', '${1}}$', 'a}$'],
  ['(a)', 'a', '$1$1$$', 'aa$'],
])('expands %s on %s with %s to %j', (pattern, value, template, expected) => {
  const regex = compileRegex(pattern)
  expect(expandTemplate(template, regex.match(value)!, regex.groupNames)).toBe(expected)
})

it('knows a replacement that names no group', () => {
  expect(parseReplacement('plain').isConstant).toBe(true)
  expect(parseReplacement('$$5').isConstant).toBe(true)
  expect(parseReplacement('a$1').isConstant).toBe(false)
})
