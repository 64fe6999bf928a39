import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ScrapeSchedule } from './scrape-schedule.ts'
import type { Scheduled } from './scrape-schedule.ts'
import { FakeClock } from './testkit/fake-clock.ts'

class Entry implements Scheduled {
  place = -1
  readonly turnsMs: number[] = []
  readonly #clock: FakeClock
  readonly #then: ((entry: Entry) => void) | undefined

  constructor(clock: FakeClock, then?: (entry: Entry) => void) {
    this.#clock = clock
    this.#then = then
  }

  onTurn(): void {
    this.turnsMs.push(this.#clock.elapsed())
    this.#then?.(this)
  }
}

test('every entry has its turn at its time, whatever is set, moved and taken away', async () => {
  const steps = fc.array(
    fc.record({ entry: fc.integer({ min: 0, max: 9 }), delayMs: fc.constantFrom(undefined, 0, 3, 7, 20, 21.5, 100), passMs: fc.nat(30) }),
    { minLength: 1, maxLength: 40 },
  )
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const clock = new FakeClock(0)
      const schedule = new ScrapeSchedule(clock)
      const entries = Array.from({ length: 10 }, () => new Entry(clock))
      const dueMs: (number | undefined)[] = entries.map(() => undefined)
      const expected: number[][] = entries.map(() => [])
      for (const { entry, delayMs, passMs } of list) {
        if (delayMs === undefined) schedule.delete(entries[entry]!)
        else schedule.set(entries[entry]!, delayMs)
        dueMs[entry] = delayMs === undefined ? undefined : clock.elapsed() + delayMs
        const until = clock.elapsed() + passMs
        await clock.advance(passMs)
        for (const [i, due] of dueMs.entries()) {
          // What falls due within a millisecond of another's timer has its turn with it.
          const turn = entries[i]!.turnsMs[expected[i]!.length]
          if (due === undefined || (due > until && turn === undefined)) continue
          expect(turn).toBeLessThanOrEqual(due)
          expect(turn).toBeGreaterThanOrEqual(due - 1)
          expected[i]!.push(turn!)
          dueMs[i] = undefined
        }
        expect(entries.map(({ turnsMs }) => turnsMs)).toEqual(expected)
        expect(schedule.size).toBe(dueMs.filter((due) => due !== undefined).length)
      }
    }),
    { numRuns: 300 },
  )
})

test('an entry may set its next turn in its turn, and take away another', async () => {
  const clock = new FakeClock(0)
  const schedule = new ScrapeSchedule(clock)
  const other = new Entry(clock)
  const entry = new Entry(clock, (self) => {
    schedule.delete(other)
    schedule.set(self, 10)
  })
  schedule.set(entry, 10)
  schedule.set(other, 10.5)
  await clock.advance(30)
  expect([entry.turnsMs, other.turnsMs]).toEqual([[10, 20, 30], []])
})

test('there is one timer while somebody waits, and none otherwise', async () => {
  const clock = new FakeClock(0)
  const schedule = new ScrapeSchedule(clock)
  const entries = Array.from({ length: 5 }, () => new Entry(clock))
  for (const [i, entry] of entries.entries()) schedule.set(entry, 100 - i)
  expect(clock.timerCount).toBe(1)
  for (const entry of entries) schedule.delete(entry)
  expect([clock.timerCount, schedule.size]).toEqual([0, 0])
  schedule.set(entries[0]!, 5)
  await clock.advance(5)
  expect([clock.timerCount, entries[0]!.turnsMs.length]).toEqual([0, 1])
})

test('an error in a turn does not keep the others from theirs', async () => {
  const clock = new FakeClock(0)
  const schedule = new ScrapeSchedule(clock)
  const bad = new Entry(clock, () => {
    throw new Error('bug')
  })
  const good = new Entry(clock)
  schedule.set(bad, 10)
  schedule.set(good, 10)
  await expect(clock.advance(10)).rejects.toThrow('bug')
  await clock.advance(1)
  expect(good.turnsMs).toHaveLength(1)
})
