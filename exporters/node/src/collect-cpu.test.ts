import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseCpuList } from './cpu-list.ts'
import { createTestExporter, onlyCollector, parseText, valueOf } from './test-exporter.ts'
import { unpackTestTrees, type TestTrees } from './test-tree.ts'

let trees: TestTrees
beforeAll(() => {
  trees = unpackTestTrees()
})
afterAll(() => trees.remove())

async function scrapeStats(...stats: readonly string[]) {
  const exporter = createTestExporter({ ...trees.flags, ...onlyCollector('cpu') })
  const answers = []
  for (const stat of stats) {
    writeFileSync(`${trees.directory}/proc/stat`, stat)
    answers.push(parseText(Buffer.from((await exporter.handleMetrics()).body).toString()))
  }
  return answers
}

const idle = ['cpu', '0', 'mode', 'idle'] as const
const name = 'node_cpu_seconds_total'

test('a counter that falls a little stays where it was', async () => {
  const [, second] = await scrapeStats('cpu0 100 0 0 1000 50 0 0 0 0 0\n', 'cpu0 110 0 0 999 49 0 0 0 0 0\n')
  expect(valueOf(second!, name, ...idle)).toBe(10)
  expect(valueOf(second!, name, 'cpu', '0', 'mode', 'iowait')).toBe(0.5)
  expect(valueOf(second!, name, 'cpu', '0', 'mode', 'user')).toBe(1.1)
})

test('an idle counter that falls by three seconds is a CPU plugged in anew', async () => {
  const [, second] = await scrapeStats('cpu0 100 0 0 1000 50 0 0 0 0 0\n', 'cpu0 3 0 0 700 2 0 0 0 0 0\n')
  expect(valueOf(second!, name, ...idle)).toBe(7)
  expect(valueOf(second!, name, 'cpu', '0', 'mode', 'user')).toBe(0.03)
})

test('a CPU that went offline is not shown, and starts anew when it comes back', async () => {
  const both = 'cpu0 1 0 0 1 0 0 0 0 0 0\ncpu1 500 0 0 500 0 0 0 0 0 0\n'
  const [first, second, third] = await scrapeStats(both, 'cpu0 1 0 0 1 0 0 0 0 0 0\n', both.replace('cpu1 500', 'cpu1 20'))
  const user = ['cpu', '1', 'mode', 'user'] as const
  expect(valueOf(first!, name, ...user)).toBe(5)
  expect(valueOf(second!, name, ...user)).toBeUndefined()
  expect(valueOf(third!, name, ...user)).toBe(0.2)
})

test('CPU lists are read', () => {
  expect(parseCpuList('0-2,7,9-9')).toEqual([0, 1, 2, 7, 9])
  expect(() => parseCpuList('0-')).toThrow('cannot read CPU list')
  expect(() => parseCpuList('0-99999999')).toThrow('want CPUs below 8192')
})
