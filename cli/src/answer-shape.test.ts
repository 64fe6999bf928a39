import { describe, expect, test } from 'vitest'
import { readAnswerData, readLabelSets, readTextList } from './answer-shape.ts'

const histogram = { count: '3', sum: '4', buckets: [[0, '1', '2', '3']] }

describe('an answer is taken', () => {
  test.each([
    { resultType: 'scalar', result: [1, '2'] },
    { resultType: 'string', result: [1, 'x'] },
    { resultType: 'vector', result: [] },
    { resultType: 'vector', result: [{ metric: { a: 'b' }, value: [1.5, 'NaN'] }] },
    { resultType: 'vector', result: [{ metric: {}, histogram: [1, histogram] }] },
    { resultType: 'matrix', result: [{ metric: {}, values: [[1, '1']], histograms: [[2, { count: '0', sum: '0' }]] }] },
  ])('%j', (data) => {
    expect(readAnswerData({ ...data, stats: {} })).toEqual(data)
  })
})

describe('an answer is refused with one line', () => {
  test.each([
    [undefined, 'want an object, got nothing'],
    [null, 'want an object, got null'],
    [[], 'want an object, got []'],
    [{}, 'unknown value type undefined'],
    [{ resultType: 'streams', result: [] }, 'unknown value type "streams"'],
    [{ resultType: 'scalar', result: [1] }, 'want a time and a value, got [1]'],
    [{ resultType: 'string', result: 'x' }, 'want a time and a value'],
    [{ resultType: 'vector' }, 'want a list of series, got nothing'],
    [{ resultType: 'vector', result: [{ value: [1, '1'] }] }, 'want a series'],
    [{ resultType: 'vector', result: [{ metric: { a: 1 }, value: [1, '1'] }] }, 'want a series'],
    [{ resultType: 'vector', result: [{ metric: {}, value: ['1', '1'] }] }, 'want a series'],
    [{ resultType: 'matrix', result: [{ metric: {}, values: [[1, '1'], [2]] }] }, 'want a series'],
    [{ resultType: 'vector', result: [{ metric: {}, histogram: [1, { ...histogram, buckets: [1] }] }] }, 'want a series'],
  ])('%j', (data, text) => {
    expect(() => readAnswerData(data)).toThrow(text)
  })
})

test('lists are of one kind', () => {
  expect(readTextList(['a'])).toEqual(['a'])
  expect(() => readTextList(null)).toThrow('want a list of texts, got null')
  expect(readLabelSets([{ a: 'b' }])).toEqual([{ a: 'b' }])
  expect(() => readTextList([{}])).toThrow('want a list of texts, got [{}]')
  expect(() => readTextList(undefined)).toThrow('want a list of texts, got nothing')
  expect(() => readLabelSets(['a'])).toThrow('want a list of label sets, got ["a"]')
})
