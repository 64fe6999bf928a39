import { expect, it } from 'vitest'
import { createHeapKeeper } from './small-process.ts'

it('collects after fifty scrapes if the heap has grown by more than 2.5 MB since the last time', () => {
  let usedBytes = 12e6
  let collected = 0
  const waiting: (() => void)[] = []
  const scraped = createHeapKeeper({
    usedBytes: () => usedBytes,
    collect: () => {
      collected++
      usedBytes = 10e6
    },
    whenIdle: (collect) => void waiting.push(collect),
  })
  const scrape = (times: number): void => {
    for (let i = 0; i < times; i++) scraped()
    for (const collect of waiting.splice(0)) collect()
  }
  scrape(49)
  expect(collected).toBe(0)
  // What the start left behind.
  scrape(1)
  expect(collected).toBe(1)
  usedBytes = 12.5e6
  scrape(50)
  expect(collected).toBe(1)
  usedBytes = 12.5e6 + 1
  scrape(49)
  expect(collected).toBe(1)
  scrape(1)
  expect([collected, usedBytes]).toEqual([2, 10e6])
})
