import { expect, it } from 'vitest'
import { lowerCase, titleCase, upperCase } from './case.ts'

// Results as Go 1.26's strings package gives them.
it('maps each character to one', () => {
  expect(upperCase('abc-1 straße ŉ ᾳ ὠ')).toBe('ABC-1 STRAßE ŉ ᾼ Ὠ')
  expect(lowerCase('ABC ΟΔΟΣ İ ẞ')).toBe('abc οδοσ i ß')
  expect(upperCase('𐐨')).toBe('𐐀')
})

it('titles the first letter of each word', () => {
  expect(titleCase('aaa bbb-ccc d_e ǆ')).toBe('Aaa Bbb-Ccc D_e ǅ')
  expect(titleCase('éa.b 1a ALL')).toBe('Éa.B 1a ALL')
})
