import { describe, expect, it } from 'vitest'
import { ExpiringCache } from './expiring-cache.ts'

function setUp(lifeMs: number) {
  const state = { now: 1_000_000, fetches: 0, failure: undefined as Error | undefined }
  const cache = new ExpiringCache(
    async () => {
      state.fetches++
      await Promise.resolve()
      if (state.failure !== undefined) throw state.failure
      return { value: `v${state.fetches}`, expiresMs: state.now + lifeMs }
    },
    { now: () => state.now },
  )
  return { state, cache }
}

describe('ExpiringCache', () => {
  it('fetches once for all who wait', async () => {
    const { state, cache } = setUp(3_600_000)
    expect(await Promise.all([cache.get(), cache.get(), cache.get()])).toEqual(['v1', 'v1', 'v1'])
    expect(state.fetches).toBe(1)
  })

  it('keeps a value to the last millisecond before its margin', async () => {
    const { state, cache } = setUp(3_600_000)
    await cache.get()
    state.now += 3_300_000 - 1
    expect(await cache.get()).toBe('v1')
    state.now += 1
    expect(await cache.get()).toBe('v2')
  })

  it('keeps a value that lives shorter than the margin for half of its time', async () => {
    const { state, cache } = setUp(60_000)
    await cache.get()
    state.now += 29_999
    expect(await cache.get()).toBe('v1')
    state.now += 1
    expect(await cache.get()).toBe('v2')
  })

  it('lives with the old value while it is good and a new one cannot be had', async () => {
    const { state, cache } = setUp(3_600_000)
    await cache.get()
    state.failure = new Error('down')
    state.now += 3_599_999
    expect(await cache.get()).toBe('v1')
    state.now += 1
    await expect(cache.get()).rejects.toThrow('down')
  })

  it('asks again five seconds after a failure, not before', async () => {
    const { state, cache } = setUp(3_600_000)
    state.failure = new Error('down')
    await expect(cache.get()).rejects.toThrow('down')
    state.failure = undefined
    state.now += 4_999
    await expect(cache.get()).rejects.toThrow('down')
    expect(state.fetches).toBe(1)
    state.now += 1
    expect(await cache.get()).toBe('v2')
  })

  it('forgets a refused value that is 30 seconds old', async () => {
    const { state, cache } = setUp(3_600_000)
    await cache.get()
    state.now += 29_999
    cache.forget()
    expect(await cache.get()).toBe('v1')
    state.now += 1
    cache.forget()
    expect(await cache.get()).toBe('v2')
  })
})
