import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareBytewise, sortBytewise } from './compare.ts'

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

test('texts are sorted as their UTF-8 bytes are, whatever characters they have', () => {
  expect(sortBytewise(['\u{1f600}', '￿', 'é', 'z', 'a', ''])).toEqual(['', 'a', 'z', 'é', '￿', '\u{1f600}'])
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\ud7ff', '\ue000', '￿', '\u{10000}', '\u{1f600}'), maxLength: 4 })
  fc.assert(
    fc.property(fc.array(text), (texts) => {
      const wanted = texts.toSorted(byBytes)
      expect(sortBytewise([...texts])).toEqual(wanted)
      expect(texts.toSorted(compareBytewise)).toEqual(wanted)
    }),
  )
})
