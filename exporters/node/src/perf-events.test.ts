import { expect, test } from 'vitest'
import { cacheEvents, encodePerfAttribute, parsePerfCpus } from './perf-events.ts'

test('CPUs are read with ranges and strides', () => {
  expect(parsePerfCpus('3')).toEqual([3])
  expect(parsePerfCpus('0,2-5,1-9:4')).toEqual([0, 2, 3, 4, 5, 1, 5, 9])
  for (const bad of ['', '1-', '1:2', '1-2:0', 'a']) expect(() => parsePerfCpus(bad)).toThrow('want CPUs as')
})

test('an event is encoded as the kernel reads it', () => {
  const bytes = encodePerfAttribute(cacheEvents.find(({ name }) => name === 'DataTLBWriteMiss')!)
  expect([bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readBigUInt64LE(8), bytes.readBigUInt64LE(40)]).toEqual([
    3,
    64,
    0x10103n,
    64n,
  ])
})
