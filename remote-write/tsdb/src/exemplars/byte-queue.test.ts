import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteQueue } from './byte-queue.ts'

const source = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 7) % 251)

test('a queue has what was put into it, whatever came and went', () => {
  const step = fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.constant('shift' as const))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.constantFrom(3, 17, 100), (steps, slots) => {
      const queue = new ByteQueue(2 ** 20)
      const model: { slot: number; from: number; to: number }[] = []
      let slot = 0
      for (const one of steps) {
        const oldest = model[0]
        if (oldest !== undefined && (one === 'shift' || model.length === slots)) {
          model.shift()
          queue.shift(oldest.slot, (oldest.slot + 1) % slots)
        }
        if (one === 'shift') continue
        const from = one * 13
        expect(queue.push(slot, source, from, from + one)).toBe(true)
        model.push({ slot, from, to: from + one })
        slot = (slot + 1) % slots
        for (const known of model) expect(queue.equals(known.slot, source, known.from, known.to)).toBe(true)
      }
    }),
    { numRuns: 300 },
  )
})

test('a queue of a steady length keeps its buffer', () => {
  const queue = new ByteQueue(2 ** 20)
  for (let i = 0; i < 1000; i++) {
    if (i >= 10) queue.shift(i % 10, (i + 1) % 10)
    expect(queue.push(i % 10, source, 0, 1 + (i % 500))).toBe(true)
  }
  expect(queue.bytes.length).toBeLessThanOrEqual(16_384)
})

test('the last byte of the bound is taken, one more is not, and there is room again when something has gone', () => {
  const queue = new ByteQueue(10_000)
  expect(queue.push(0, source, 0, 6000)).toBe(true)
  expect(queue.push(1, source, 0, 4000)).toBe(true)
  expect(queue.push(2, source, 0, 1)).toBe(false)
  queue.shift(0, 1)
  expect(queue.push(0, source, 9, 6009)).toBe(true)
  expect(queue.equals(0, source, 9, 6009)).toBe(true)
  expect(queue.equals(1, source, 0, 4000)).toBe(true)
})
