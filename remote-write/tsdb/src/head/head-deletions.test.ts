import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deletedIntervalsOf } from './deleted-intervals.ts'
import { HeadDeletions } from './head-deletions.ts'

const anyInterval = fc.record({
  ref: fc.integer({ min: 1, max: 6 }),
  first: fc.integer({ min: -40, max: 40 }),
  length: fc.integer({ min: -3, max: 12 }),
})
const times = Array.from({ length: 121 }, (_, i) => i - 60)

/** ref → the times that the view says are deleted. */
function deletedTimes({ view }: HeadDeletions): Map<number, number[]> {
  const found = new Map<number, number[]>()
  for (let ref = 0; ref <= 7; ref++) {
    const intervals = view === undefined ? undefined : deletedIntervalsOf(view, ref)
    if (intervals === undefined) continue
    const isDeleted = (time: number): boolean => intervals.some((first, i) => i % 2 === 0 && first <= time && time <= intervals[i + 1]!)
    found.set(ref, times.filter(isDeleted))
  }
  return found
}

describe('deletions of the head', () => {
  it('are the times that were added, whatever the order and how often it was looked between', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyInterval, fc.boolean()), { maxLength: 30 }),
        fc.integer({ min: -50, max: 50 }),
        (added, cutoffMs) => {
          const deletions = new HeadDeletions()
          for (const [{ ref, first, length }, looks] of added) {
            deletions.add([ref], [first], [first + length])
            if (looks) expect(deletions.view).toBe(deletions.view)
          }
          const expected = new Map<number, number[]>()
          for (let ref = 1; ref <= 6; ref++) {
            const own = added.map(([interval]) => interval).filter((interval) => interval.ref === ref && interval.length >= 0)
            if (own.length > 0)
              expected.set(
                ref,
                times.filter((time) => own.some(({ first, length }) => first <= time && time <= first + length)),
              )
          }
          expect(deletedTimes(deletions)).toEqual(expected)
          deletions.forgetBefore(cutoffMs)
          const later = (deleted: ReadonlyMap<number, readonly number[]>): number[][] =>
            [1, 2, 3, 4, 5, 6].map((ref) => (deleted.get(ref) ?? []).filter((time) => time >= cutoffMs))
          expect(later(deletedTimes(deletions))).toEqual(later(expected))
        },
      ),
    )
  })

  it('that ended before a time are forgotten, those that reach it stay whole, and the last one leaves nothing', () => {
    const deletions = new HeadDeletions()
    deletions.add([4, 4, 2], [0, 20, 0], [9, 30, 10])
    deletions.forgetBefore(10)
    expect([...deletedIntervalsOf(deletions.view!, 4)!]).toEqual([20, 30])
    expect([...deletedIntervalsOf(deletions.view!, 2)!]).toEqual([0, 10])
    const { view } = deletions
    deletions.forgetBefore(10)
    expect(deletions.view).toBe(view)
    deletions.forgetBefore(11)
    expect(deletedIntervalsOf(deletions.view!, 2)).toBeUndefined()
    deletions.forgetBefore(31)
    expect(deletions.view).toBeUndefined()
  })

  it('are in shared memory, so that no query copies them', () => {
    const deletions = new HeadDeletions()
    deletions.add([1], [0], [5])
    const { refs, starts, times: bounds } = deletions.view!
    for (const { buffer } of [refs, starts, bounds]) expect(buffer).toBeInstanceOf(SharedArrayBuffer)
  })
})
