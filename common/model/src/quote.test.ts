import { expect, it } from 'vitest'
import { quoteText } from './quote.ts'

// Results as Go 1.26's strconv.Quote gives them.
it.each([
  ['', '""'],
  ['a b', '"a b"'],
  ['a"b\\c', '"a\\"b\\\\c"'],
  ['\x07\b\f\n\r\t\v', '"\\a\\b\\f\\n\\r\\t\\v"'],
  ['\0\x1b\x7f', '"\\x00\\x1b\\x7f"'],
  ['\x85\xa0\xad', '"\\u0085\\u00a0\\u00ad"'],
  ['é世😀', '"é世😀"'],
  ['\u200b\ufeff', '"\\u200b\\ufeff"'],
  ['a\udc80\udcff', '"a\\x80\\xff"'],
  ['\u{e0001}\u{10ffff}', '"\\U000e0001\\U0010ffff"'],
])('quotes %j', (text, quoted) => {
  expect(quoteText(text)).toBe(quoted)
})
