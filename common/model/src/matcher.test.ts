import { expect, it } from 'vitest'
import { Matcher } from './matcher.ts'

it.each([
  ['=', 'a', 'a', true],
  ['=', 'a', 'b', false],
  ['!=', 'a', 'b', true],
  ['!=', 'a', 'a', false],
  ['=~', 'a.*', 'abc', true],
  ['=~', 'a', 'abc', false],
  ['!~', 'a.*', 'abc', false],
  ['!~', '', '', false],
  ['=', '', '', true],
] as const)('%s %j on %j is %s', (type, value, candidate, expected) => {
  expect(new Matcher(type, 'x', value).matches(candidate)).toBe(expected)
})

it('prints as it stands in a query', () => {
  expect(new Matcher('=~', 'job', 'a"b').toString()).toBe('job=~"a\\"b"')
  expect(new Matcher('!=', 'my.label', '').toString()).toBe('"my.label"!=""')
})

it('refuses a bad pattern with the text of Go', () => {
  expect(() => new Matcher('=~', 'x', 'a(')).toThrow('error parsing regexp: missing closing ): `a(`')
  expect(() => new Matcher('=', 'x', 'a(')).not.toThrow()
})
