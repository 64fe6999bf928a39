import { ByteWriter } from '@narthex/bytes/byte-writer'
import { Labels } from '@narthex/model/labels'
import { expect, test } from 'vitest'
import { LabelsWriter } from './write-labels.ts'

function write(sets: readonly Labels[]): unknown[] {
  const writer = new ByteWriter(16)
  const labels = new LabelsWriter(writer)
  return sets.map((set) => {
    writer.reset()
    labels.write(set)
    return JSON.parse(Buffer.from(writer.view()).toString())
  })
}

test('a label set is an object of its names and values, whatever is in them', () => {
  const records: Record<string, string>[] = [
    {},
    { a: '"quoted"\n\\', 'é.b': '\u{1f600}' },
    { long: 'x'.repeat(5000) },
    { a: 'é'.repeat(100) },
  ]
  expect(write(records.map((record) => Labels.from(record)))).toEqual(records)
})

test('texts are right when there were more than are kept', () => {
  const records = Array.from({ length: 40_000 }, (_, i) => ({ i: `value ${i % 20_000}` }))
  expect(write(records.map((record) => Labels.from(record)))).toEqual(records)
})
