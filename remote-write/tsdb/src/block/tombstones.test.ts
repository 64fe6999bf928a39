import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SampleColumns } from '@narthex/model/sample-columns'
import { Tombstones } from './tombstones.ts'

const anyStone = fc
  .tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: -40, max: 40 }), fc.nat(10))
  .map(([reference, first, length]) => [reference, first, first + length] as const)

function isWithin(intervals: readonly number[], time: number): boolean {
  return intervals.some((first, i) => i % 2 === 0 && first <= time && time <= intervals[i + 1]!)
}

describe('tombstones', () => {
  it('are the times that were added, each interval apart from the next by more than 1 ms', () => {
    fc.assert(
      fc.property(fc.array(anyStone, { maxLength: 30 }), (added) => {
        const stones = new Tombstones()
        for (const stone of added) stones.add(...stone)
        for (let reference = 0; reference <= 5; reference++) {
          const intervals = stones.intervals(reference) ?? []
          for (let i = 2; i < intervals.length; i += 2) expect(intervals[i]! - intervals[i - 1]!).toBeGreaterThan(1)
          const times = Array.from({ length: 121 }, (_, i) => i - 60)
          const deleted = times.filter((time) => added.some(([other, first, last]) => other === reference && first <= time && time <= last))
          expect(times.filter((time) => isWithin(intervals, time))).toEqual(deleted)
        }
        const read = Tombstones.decode(stones.encode().slice(), 'tombstones')
        expect(read.references()).toEqual(stones.references())
        for (const reference of stones.references()) expect(read.intervals(reference)).toEqual(stones.intervals(reference))
        expect(read.count).toBe(stones.count)
      }),
    )
  })

  it('take the deleted samples out and leave the bits of the others', () => {
    const stones = new Tombstones()
    stones.add(7, 10, 20)
    stones.add(7, 30, 30)
    const samples = new SampleColumns()
    for (const time of [5, 9, 10, 15, 20, 21, 30, 31]) samples.push(time, 2, 0x7ff00000)
    stones.apply(7, samples, 1)
    expect(Array.from(samples.times.subarray(0, samples.length))).toEqual([5, 9, 21, 31])
    expect(Array.from(samples.words.subarray(6, 8))).toEqual([2, 0x7ff00000])
    stones.apply(8, samples)
    expect(samples.length).toBe(4)
  })

  it('without any are the file that Prometheus writes', () => {
    expect(Buffer.from(new Tombstones().encode()).toString('hex')).toBe('0130ba300100000000')
  })

  it('keep times that are wider than a whole number of JavaScript at its ends', () => {
    const stones = new Tombstones()
    stones.add(1, -(2 ** 63), 2 ** 63)
    expect(Tombstones.decode(stones.encode().slice(), 't').intervals(1)).toEqual([Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER])
  })

  it('refuse an end before the start', () => {
    expect(() => new Tombstones().add(1, 5, 4)).toThrow('want an end at or after 5, got 4')
  })
})
