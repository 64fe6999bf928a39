import { expect, it } from 'vitest'
import { SampleColumns } from './sample-columns.ts'
import { isStaleWords, NORMAL_NAN_HIGH, NORMAL_NAN_LOW, STALE_HIGH, STALE_LOW, writeStale } from './stale.ts'

it('keeps the bits of a stale marker while the columns grow', () => {
  const columns = new SampleColumns(1)
  for (let i = 0; i < 1000; i++) {
    if (i % 3 === 0) columns.push(i, STALE_LOW, STALE_HIGH)
    else if (i % 3 === 1) columns.push(i, NORMAL_NAN_LOW, NORMAL_NAN_HIGH)
    else columns.pushNumber(i, i / 2)
  }
  expect(columns.length).toBe(1000)
  for (let i = 0; i < 1000; i++) {
    expect(columns.times[i]).toBe(i)
    expect(isStaleWords(columns.words[2 * i]!, columns.words[2 * i + 1]!)).toBe(i % 3 === 0)
    if (i % 3 === 2) expect(columns.values[i]).toBe(i / 2)
  }
  columns.clear()
  expect(columns.length).toBe(0)
})

it('writes a marker over a value', () => {
  const words = new Uint32Array(4)
  writeStale(words, 1)
  expect([...words]).toEqual([0, 0, 2, 0x7ff00000])
})
