import { expect, test } from 'vitest'
import * as json from './json-fields.ts'

const parsed: unknown = JSON.parse(
  '{"text":"a","none":"","whole":7,"part":1.5,"minus":-1,"yes":false,"list":["a",1,null,"b"],"map":{"k":"v","n":1}}',
)

test('a field that is missing or of another kind reads as empty', () => {
  for (const value of [parsed, undefined, null, 'text', [], 1]) {
    expect(json.textField(value, 'whole')).toBe('')
    expect(json.numberField(value, 'text')).toBe(0)
    expect(json.listField(value, 'map')).toEqual([])
    expect(json.textsField(value, 'missing')).toEqual([])
    expect(json.recordField(value, 'list')).toEqual({})
    expect([json.optionalText(value, 'list'), json.optionalNumber(value, 'yes'), json.optionalBoolean(value, 'text')]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  }
})

test('what every object inherits is no field', () => {
  expect(json.field({}, 'constructor')).toBeUndefined()
  expect(json.textField([], 'length')).toBe('')
})

test('numberField takes whole numbers that are not negative, optionalNumber all', () => {
  expect(['whole', 'part', 'minus'].map((name) => json.numberField(parsed, name))).toEqual([7, 0, 0])
  expect(['whole', 'part', 'minus'].map((name) => json.optionalNumber(parsed, name))).toEqual([7, 1.5, -1])
  expect(json.numberField({ n: Number.MAX_SAFE_INTEGER }, 'n')).toBe(Number.MAX_SAFE_INTEGER)
  expect(json.numberField({ n: 2 ** 53 }, 'n')).toBe(0)
})

test('an empty text and false are there', () => {
  expect(json.optionalText(parsed, 'none')).toBe('')
  expect(json.optionalBoolean(parsed, 'yes')).toBe(false)
})

test('textsField and textPairs leave out what is no text', () => {
  expect(json.textsField(parsed, 'list')).toEqual(['a', 'b'])
  expect(json.textPairs(json.recordField(parsed, 'map'))).toEqual([['k', 'v']])
})

test('parseJson names what it could not read, without its text', () => {
  expect(() => json.parseJson(Buffer.from('{"secret'), 'answer of /x')).toThrow(/^cannot read answer of \/x: want JSON$/)
})
