import { readPairs, readTexts } from '@narthex/agent/send/prepared-layout'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { putLabels } from '@narthex/tsdb/wal/text-payload'
import { expect, test } from 'vitest'
import { ReferenceTable } from './reference-table.ts'
import { blockSeries, SeriesCatalog } from './series-catalog.ts'
import { SeriesFamilies } from './series-families.ts'

const families = new SeriesFamilies()

function add(catalog: SeriesCatalog, reference: number, name: string, segment = 0): void {
  const writer = new ByteWriter()
  putLabels(writer, ['__name__', name, 'job', 'a'])
  catalog.add(reference, segment, writer.view(), 0, writer.length)
}

/** The labels of a series as its layout says them. */
function look(catalog: SeriesCatalog, reference: number): { target: number; labels: readonly string[] } | undefined {
  const slot = catalog.slotOf(reference)
  if (slot < 0) return undefined
  const index = SeriesCatalog.indexOf(slot)
  const part = catalog.partsOf(SeriesCatalog.blockOf(slot)).findLast(({ first }) => first <= index)!
  return { target: part.layout.target, labels: readPairs(part.layout, index - part.first, readTexts(part.layout)) }
}

test('series keep their target and labels while newcomers come one by one, and layouts stay few', () => {
  const catalog = new SeriesCatalog(families)
  for (let reference = 1; reference <= blockSeries + 10; reference++) {
    add(catalog, reference, `m${reference}`)
    expect(look(catalog, reference)!.labels).toEqual(['__name__', `m${reference}`, 'job', 'a'])
    expect(catalog.partsOf(0).length).toBeLessThanOrEqual(10)
  }
  expect(catalog.partsOf(0)).toHaveLength(1)
  expect(look(catalog, 1)).toEqual({ target: 0, labels: ['__name__', 'm1', 'job', 'a'] })
  expect(look(catalog, blockSeries)!.target).toBe(0)
  expect(look(catalog, blockSeries + 1)!.target).toBe(1)
  expect(look(catalog, blockSeries + 11)).toBeUndefined()
})

test('a record that comes again changes nothing but the last segment that named it', () => {
  const catalog = new SeriesCatalog(families)
  add(catalog, 7, 'a', 1)
  add(catalog, 8, 'b', 1)
  add(catalog, 7, 'a', 3)
  expect(catalog.size).toBe(2)
  catalog.forget(2)
  // Half of a block is not more than half.
  expect(look(catalog, 8)).toBeDefined()
  add(catalog, 9, 'c', 1)
  catalog.forget(2)
  expect([7, 8, 9].map((reference) => look(catalog, reference)?.labels[1])).toEqual(['a', undefined, undefined])
  expect(catalog.size).toBe(1)
})

test('forgets whole blocks and gives their numbers out again', () => {
  const catalog = new SeriesCatalog(families)
  for (let reference = 1; reference <= 2 * blockSeries; reference++) add(catalog, reference, 'old', reference <= blockSeries ? 1 : 2)
  catalog.forget(2)
  expect(catalog.size).toBe(blockSeries)
  expect(look(catalog, 1)).toBeUndefined()
  add(catalog, 5_000, 'new', 2)
  expect(look(catalog, 5_000)).toEqual({ target: 0, labels: ['__name__', 'new', 'job', 'a'] })
})

test('layouts get the families that become known later, and keep their bytes', () => {
  const known = new SeriesFamilies()
  const catalog = new SeriesCatalog(known)
  add(catalog, 1, 'a_bucket')
  add(catalog, 2, 'b')
  const [before] = catalog.partsOf(0)
  expect(before!.layout.familyOfSeries).toBeUndefined()
  known.set([{ name: 'a', type: 'histogram', help: 'A.', unit: '' }])
  const [after] = catalog.partsOf(0)
  expect(after!.layout.symbolBytes).toBe(before!.layout.symbolBytes)
  expect(after!.layout.families.map(({ name }) => name)).toEqual(['a'])
  expect([...after!.layout.familyOfSeries!]).toEqual([0, 0xffffffff])
  known.set([{ name: 'c', type: 'gauge', help: '', unit: '' }])
  expect(catalog.partsOf(0)[0]!.layout).toBe(after!.layout)
  expect(catalog.nameOf(2)).toBe('b')
})

test('a suffix names a family of a type that has it only', () => {
  const known = new SeriesFamilies()
  known.set([
    { name: 'a', type: 'gauge', help: '', unit: '' },
    { name: 'c', type: 'counter', help: '', unit: '' },
  ])
  known.setOfSeries('s_sum', 'summary', 'S.', 'seconds')
  expect(['a', 'a_bucket', 'c_total', 's_count', 's'].map((name) => known.find(name)?.name)).toEqual(['a', undefined, 'c', 's', 's'])
})

test('references far apart and near 2^40 have their numbers', () => {
  const table = new ReferenceTable()
  const references = [0, 4095, 4096, 2 ** 31, 2 ** 40 - 1]
  references.forEach((reference, i) => table.set(reference, i))
  expect(references.map((reference) => table.get(reference))).toEqual([0, 1, 2, 3, 4])
  table.delete(4096)
  expect([4095, 4096, 4097].map((reference) => table.get(reference))).toEqual([1, -1, -1])
  table.set(4097, 9)
  expect(table.get(4097)).toBe(9)
})
