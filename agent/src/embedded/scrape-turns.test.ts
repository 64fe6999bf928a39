import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ScrapeTurns, waitingMax } from './scrape-turns.ts'

const never = (): Promise<never> => new Promise<never>(() => {})
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** Lets this much time pass, and ends with what it set free. */
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

test('runs one after another, so that a reused buffer is read before it is written again', async () => {
  const turns = new ScrapeTurns()
  const buffer = { value: 0 }
  const scrape = async (value: number): Promise<number> => {
    const answer = await turns.run(1000, async () => {
      await turn()
      buffer.value = value
      return buffer
    })
    return answer.value
  }
  expect(await Promise.all([scrape(1), scrape(2), scrape(3)])).toEqual([1, 2, 3])
})

test('one that hangs ends at its deadline; later ones fail at once until it has ended', async () => {
  const turns = new ScrapeTurns()
  const hung = Promise.withResolvers<string>()
  const first = expect(turns.run(20, () => hung.promise)).rejects.toThrow('the exporter did not answer within 0.02 s')
  await pass(20)
  await first
  // No time passes until this one has failed.
  await expect(turns.run(5000, () => Promise.resolve('x'))).rejects.toThrow('an earlier scrape of this exporter has been hanging')
  hung.resolve('late')
  await turn()
  await turn()
  expect(await turns.run(1000, () => Promise.resolve('x'))).toBe('x')
})

test('one that waits for another has its own deadline, and gets what is left of it', async () => {
  const turns = new ScrapeTurns()
  const first = Promise.withResolvers<string>()
  const running = turns.run(60_000, () => first.promise)
  const second = expect(turns.run(20, never)).rejects.toThrow('an earlier scrape of this exporter has been running')
  await pass(20)
  await second
  const next = turns.run(60_000, (remainingMs) => Promise.resolve(remainingMs()))
  await pass(20)
  first.resolve('')
  await running
  expect(await next).toBe(60_000 - 20)
})

test('the last that may wait waits, the next is refused', async () => {
  const turns = new ScrapeTurns()
  const first = Promise.withResolvers<string>()
  const running = turns.run(60_000, () => first.promise)
  const waiting = Array.from({ length: waitingMax }, () => turns.run(60_000, () => Promise.resolve('x')))
  await expect(turns.run(60_000, () => Promise.resolve('x'))).rejects.toThrow(`${waitingMax} scrapes wait for this exporter already`)
  first.resolve('x')
  expect(await Promise.all([running, ...waiting])).toHaveLength(1 + waitingMax)
})

test('a failure is passed on and makes room', async () => {
  const turns = new ScrapeTurns()
  await expect(turns.run(1000, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await turns.run(1000, () => Promise.resolve('x'))).toBe('x')
})
