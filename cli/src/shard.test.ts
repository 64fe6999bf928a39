import { expect, test } from 'vitest'
import { readShard } from './shard.ts'

const read = (shardCount: number, shardIndex?: string, hostName = 'laptop') => readShard({ shardCount, shardIndex }, hostName)

test('one agent has no shard', () => {
  expect(read(1)).toBeUndefined()
  expect(read(1, '0')).toBeUndefined()
})

test('the index is the flag, else the ordinal of the host name', () => {
  expect(read(3, '0')).toEqual({ index: 0, count: 3 })
  expect(read(3, '2', 'agent-1')).toEqual({ index: 2, count: 3 })
  expect(read(3, undefined, 'agent-2')).toEqual({ index: 2, count: 3 })
  expect(read(30, undefined, 'my-agent-12.agents.monitoring.svc')).toEqual({ index: 12, count: 30 })
})

test.each([
  [3, '3', 'laptop', '--shard.index: want a number from 0 to 2, got 3'],
  [3, '-1', 'laptop', '--shard.index: want a number from 0 to 2, got -1'],
  [3, 'x', 'laptop', '--shard.index: want a number from 0 to 2, got x'],
  [3, '', 'laptop', '--shard.index: want a number from 0 to 2, got '],
  [1, '1', 'laptop', '--shard.index: want a number from 0 to 0, got 1'],
  [3, undefined, 'laptop', 'want --shard.index, or a host name that ends in -NUMBER, got host name "laptop"'],
  [3, undefined, 'agent-3', 'host name "agent-3": want a number from 0 to 2, got 3'],
  [0, undefined, 'agent-0', '--shard.count: want a number from 1 to 10000, got 0'],
  [10_001, '1', 'agent-0', '--shard.count: want a number from 1 to 10000, got 10001'],
])('count %s, index %s on %s is a mistake of the user', (count, index, hostName, text) => {
  expect(() => read(count, index, hostName)).toThrow(text)
})
