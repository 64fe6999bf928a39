import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import type { FamilyMetadata, SeriesLayout } from '../store/frame.ts'
import { LabelTexts } from './label-texts.ts'
import { LayoutEditor } from './layout-editor.ts'
import { readSeries } from './testkit/recording-sink.ts'

const family = (name: string): FamilyMetadata => ({ name, type: 'gauge', help: '', unit: '' })
const none = () => undefined

function textsOf(labels: Labels): LabelTexts {
  const texts = new LabelTexts()
  texts.take(labels)
  return texts
}

const labelSets = fc
  .dictionary(fc.constantFrom('a', 'b', 'é', 'n'.repeat(130)), fc.constantFrom('1', '2', 'ü', 'v'.repeat(70), 'w'.repeat(300)), {
    minKeys: 1,
  })
  .map((record) => Labels.from(record))
const edits = fc.array(fc.record({ adds: fc.array(labelSets, { maxLength: 60 }), keeps: fc.func(fc.boolean()), compacts: fc.boolean() }), {
  minLength: 1,
  maxLength: 4,
})

test('a chain of edits leaves the series that were kept and added, in order', () => {
  fc.assert(
    fc.property(edits, (list) => {
      let layout: SeriesLayout | undefined
      let expected: Labels[] = []
      for (const { adds, keeps, compacts } of list) {
        const editor = new LayoutEditor(layout)
        for (const labels of adds) {
          const known = expected.findIndex((other) => other.equals(labels))
          expect(editor.find(textsOf(labels))).toBe(known)
          if (known >= 0) continue
          expect(editor.add(textsOf(labels), family(labels.get('a')))).toBe(expected.length)
          expected.push(labels)
        }
        const kept = expected.map((_, series) => keeps(series))
        const edited = editor.build(1, (series) => kept[series]!, none, compacts)
        let count = 0
        expect([...edited.renumbered]).toEqual(kept.map((isKept) => (isKept ? count++ : -1)))
        expected = expected.filter((_, series) => kept[series])
        layout = edited.layout
        expect(readSeries(layout).map(String)).toEqual(expected.map(String))
      }
    }),
    { numRuns: 300 },
  )
})

test('adds series in another order than it was asked for them', () => {
  const [a, b] = [Labels.from({ x: '1' }), Labels.from({ x: '2', y: '1' })]
  const editor = new LayoutEditor(undefined)
  expect(editor.find(textsOf(a))).toBe(-1)
  editor.add(textsOf(b), undefined)
  editor.add(textsOf(a), undefined)
  expect([editor.find(textsOf(b)), editor.find(textsOf(a))]).toEqual([0, 1])
})

test('two edits at a time do not touch each other', () => {
  const first = new LayoutEditor(undefined)
  const second = new LayoutEditor(undefined)
  for (let i = 0; i < 200; i++) {
    first.add(textsOf(Labels.from({ first: `${i}` })), undefined)
    second.add(textsOf(Labels.from({ second: `${i}` })), undefined)
  }
  const one = first.build(1, () => true, none, false).layout
  const third = new LayoutEditor(undefined)
  third.add(textsOf(Labels.from({ third: '0' })), undefined)
  const two = second.build(2, () => true, none, false).layout
  expect(readSeries(one).map(String)).toEqual(Array.from({ length: 200 }, (_, i) => `{first="${i}"}`))
  expect(readSeries(two).map(String)).toEqual(Array.from({ length: 200 }, (_, i) => `{second="${i}"}`))
  expect(readSeries(third.build(3, () => true, none, false).layout).map(String)).toEqual(['{third="0"}'])
})
