import { expect, test } from 'vitest'
import { parseBcachefsNumber, parseBcacheNumber } from './human-number.ts'

test.each([
  ['0', 0],
  ['546', 546],
  ['1.5k', Math.trunc((1 + 5 / 10.24) * 1024)],
  ['20.4G', Math.trunc((20 + 4 / 10.24) * 1024 ** 3)],
  ['1.1M', Math.trunc((1 + 1 / 10.24) * 1024 ** 2)],
  ['2T', 2 * 1024 ** 4],
  ['-1.5k', -Math.trunc((1 + 5 / 10.24) * 1024)],
  ['-0', 0],
  ['3Q', 0],
  ['', NaN],
  ['k', NaN],
  ['1.k', NaN],
  ['1,5k', NaN],
])('%j of bcache is %d', (text, value) => {
  expect(parseBcacheNumber(text)).toBe(value)
})

test.each([
  ['0', 0],
  ['19088', 19_088],
  ['524M', 524 * 1024 ** 2],
  ['5.45G', Math.trunc(5.45 * 1024 ** 3)],
  ['  108k ', 108 * 1024],
  ['108K', 108 * 1024],
  ['1.00k', 1024],
  ['2 m', 2 * 1024 ** 2],
  ['-1', NaN],
  ['', NaN],
  ['1.2.3k', NaN],
  ['7X', NaN],
])('%j of bcachefs is %d', (text, value) => {
  expect(parseBcachefsNumber(text)).toBe(value)
})
