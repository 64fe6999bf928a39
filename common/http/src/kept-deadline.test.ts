import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { KeptDeadline } from './kept-deadline.ts'

let timersSet = 0
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const set = globalThis.setTimeout
  timersSet = 0
  vi.spyOn(globalThis, 'setTimeout').mockImplementation((...given) => (timersSet++, set(...given)))
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

test('is told once that it is late, at its time', () => {
  const late = vi.fn()
  new KeptDeadline().start(100, late)
  vi.advanceTimersByTime(99)
  expect(late).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(late).toHaveBeenCalledOnce()
  vi.advanceTimersByTime(1_000)
  expect(late).toHaveBeenCalledOnce()
})

test('needs one timer for many that are in time', () => {
  const late = vi.fn()
  const deadline = new KeptDeadline()
  for (let i = 0; i < 90; i++) {
    deadline.start(100, late)
    vi.advanceTimersByTime(1)
    deadline.stop()
  }
  expect(timersSet).toBe(1)
  vi.advanceTimersByTime(1_000)
  expect(late).not.toHaveBeenCalled()
})

test('is late at its own time when the timer was set for one before it, or for one that would be later', () => {
  const deadline = new KeptDeadline()
  const late = vi.fn()
  deadline.start(100, () => undefined)
  vi.advanceTimersByTime(60)
  deadline.stop()
  deadline.start(100, late)
  vi.advanceTimersByTime(99)
  expect(late).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(late).toHaveBeenCalledOnce()
  deadline.start(1_000, () => undefined)
  deadline.stop()
  deadline.start(10, late)
  vi.advanceTimersByTime(10)
  expect(late).toHaveBeenCalledTimes(2)
})
