import { expect, it } from 'vitest'
import { planMemory, processBytesMin } from './memory-plan.ts'
import type { MemoryPlan } from './memory-plan.ts'

const mib = 1024 * 1024
const byDefault = { headBytesMax: undefined, queryBytesMax: undefined }

function sum(plan: MemoryPlan): number {
  const { baseBytes, headBytes, receiveBytes, queryBytes, threadBytes, cacheBytes, compactionBytes } = plan
  return baseBytes + headBytes + receiveBytes + queryBytes + threadBytes + cacheBytes + compactionBytes
}

it.each([512, 922, 2048, 8192, 65_536])('gives all parts of a process of %d MiB no more than there is', (total) => {
  const plan = planMemory({ processBytesMax: total * mib, ...byDefault })
  expect(sum(plan)).toBeLessThanOrEqual(total * mib)
  expect(plan.headBytes).toBeGreaterThan(total * mib * 0.1)
  expect(plan.queryBytesMax).toBeLessThanOrEqual(plan.queryBytes)
  expect(plan.queryThreads).toBeGreaterThanOrEqual(1)
})

it('has fewer threads in a small process', () => {
  expect(planMemory({ processBytesMax: 512 * mib, ...byDefault })).toMatchObject({ queryThreads: 1, readThreads: 1 })
  expect(planMemory({ processBytesMax: 8192 * mib, ...byDefault })).toMatchObject({ queryThreads: 4, readThreads: 4 })
})

it('gives the parts of a very small process the least that they need, and keeps its ceiling', () => {
  const least = planMemory({ processBytesMax: processBytesMin, ...byDefault })
  expect(planMemory({ processBytesMax: 200 * mib, ...byDefault })).toEqual({ ...least, processBytesMax: 200 * mib })
})

it('keeps to the given sizes of the head and of a query', () => {
  const plan = planMemory({ processBytesMax: 4096 * mib, headBytesMax: 300 * mib, queryBytesMax: 10 * mib })
  expect(plan).toMatchObject({ headBytes: 300 * mib, queryBytesMax: 10 * mib })
  expect(plan.queryBytes).toBeGreaterThan(2000 * mib)
})
