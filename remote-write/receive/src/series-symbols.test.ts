import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FakeHead } from './fake-head.ts'
import { SeriesSymbols } from './series-symbols.ts'

const encoder = new TextEncoder()
const text = fc.constantFrom('', 'a', 'b', 'ab', 'é', '__name__', 'x'.repeat(200))

test('the symbols of a series do not depend on the series before it in the request', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.tuple(text, text), { maxLength: 70 }), { maxLength: 8 }), (series) => {
      const head = new FakeHead()
      const together = new SeriesSymbols()
      together.forget()
      for (const labels of series) {
        const resolve = (symbols: SeriesSymbols): unknown[] => {
          symbols.begin(head)
          for (const [name, value] of labels) {
            const bytes = encoder.encode(`.${name}${value}`)
            const nameEnd = 1 + encoder.encode(name).length
            symbols.add(bytes, 1, nameEnd, nameEnd, bytes.length)
          }
          return [symbols.resolve(), symbols.problem]
        }
        expect(resolve(together)).toEqual(resolve(new SeriesSymbols()))
      }
    }),
  )
})

test('bytes that changed after a request are not taken for those of the series before', () => {
  const head = new FakeHead()
  const symbols = new SeriesSymbols()
  const bytes = encoder.encode('__name__first')
  const resolve = (): number => {
    symbols.begin(head)
    symbols.add(bytes, 0, 8, 8, 13)
    return symbols.resolve()
  }
  const first = resolve()
  bytes.set(encoder.encode('other'), 8)
  symbols.forget()
  expect(resolve()).not.toBe(first)
})
