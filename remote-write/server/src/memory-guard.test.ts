import { expect, it } from 'vitest'
import { MemoryGuard } from './memory-guard.ts'

function createGuard() {
  const state = { bytes: 900, nowMs: 0, looks: 0, lines: [] as string[] }
  const guard = new MemoryGuard({
    bytesMax: 1000,
    readBytes: () => state.bytes,
    now: () => state.nowMs,
    onLook: () => state.looks++,
    log: { warn: (line) => state.lines.push(line) },
  })
  return { guard, state }
}

it('refuses from the first byte above the ceiling until a part of it is free again', () => {
  const { guard, state } = createGuard()
  const look = (bytes: number): string | undefined => {
    state.bytes = bytes
    guard.look()
    return guard.refusal()
  }
  expect(look(1000)).toBeUndefined()
  expect(look(1001)).toBe('memory ceiling of the process reached: 1001 of 1000 bytes are in use (--server.memory-max)')
  expect(look(971)).toBeDefined()
  expect(look(970)).toBeUndefined()
  expect([guard.bytesPeak, guard.timesReached]).toEqual([1001, 1])
})

it('lets its owner act at each look, and tells of the ceiling once a minute', () => {
  const { guard, state } = createGuard()
  state.bytes = 2000
  for (let i = 0; i < 5; i++) guard.look()
  expect([state.looks, state.lines.length]).toEqual([5, 1])
  state.nowMs = 60_000
  guard.look()
  expect(state.lines).toHaveLength(2)
})

it('reads the memory of this process by itself', () => {
  const guard = new MemoryGuard({ bytesMax: 2 ** 50, onLook: () => {}, log: { warn: () => {} } })
  guard.look()
  expect(guard.bytes).toBeGreaterThan(10 * 2 ** 20)
  expect(guard.bytes).toBeLessThan(2 ** 35)
})
