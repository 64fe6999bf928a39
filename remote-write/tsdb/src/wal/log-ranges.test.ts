import { describe, expect, it } from 'vitest'
import { LogRanges } from './log-ranges.ts'

const rangeMs = 100

function ranges(newestMs: number): { readonly ranges: LogRanges; failNext(): void; segment(): number } {
  let segment = 7
  let fails = false
  const nextSegment = (): number => {
    if (fails) {
      fails = false
      throw new Error('no space left on device')
    }
    return ++segment
  }
  return {
    ranges: new LogRanges({ rangeMs, newestMs, segment, nextSegment }),
    failNext() {
      fails = true
    },
    segment: () => segment,
  }
}

describe('LogRanges', () => {
  it('begins a segment with the first sample of each range, and with no other', () => {
    const { ranges: log, segment } = ranges(250)
    log.follow(299)
    expect(segment()).toBe(7)
    log.follow(300)
    expect(segment()).toBe(8)
    log.follow(399)
    expect(segment()).toBe(8)
    // Two ranges have no sample.
    log.follow(650)
    expect(segment()).toBe(9)
    log.follow(640)
    log.follow(699)
    expect(segment()).toBe(9)
  })

  it('knows the segments of each range', () => {
    const { ranges: log } = ranges(250)
    log.follow(300)
    log.follow(400)
    expect([250, 251, 299, 300, 399, 400, 1000].map((time) => log.settledSegment(time))).toEqual([-1, 6, 6, 7, 7, 8, 8])
    log.forget(7)
    expect([300, 399, 400].map((time) => log.settledSegment(time))).toEqual([-1, -1, 8])
  })

  it('of an empty log begins no segment for the first sample', () => {
    const { ranges: log, segment } = ranges(-Infinity)
    log.follow(-Infinity)
    log.follow(150)
    expect(segment()).toBe(7)
    expect(log.settledSegment(200)).toBe(6)
    log.follow(201)
    expect(segment()).toBe(8)
    expect(log.settledSegment(200)).toBe(7)
  })

  it('lets a range begin in the middle of a segment when there is no room for another', () => {
    const { ranges: log, segment, failNext } = ranges(50)
    failNext()
    log.follow(100)
    log.follow(110)
    expect(segment()).toBe(7)
    log.follow(200)
    expect([100, 199, 200].map((time) => log.settledSegment(time))).toEqual([6, 6, 7])
  })
})
