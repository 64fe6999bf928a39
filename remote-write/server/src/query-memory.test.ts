import { describe, expect, it } from 'vitest'
import { AnswerWriter } from './answer-writer.ts'
import { QueryClaim, QueryMemory } from './query-memory.ts'

const kib = 1024
const mib = 1024 * kib

describe('a claim', () => {
  it('is taken up to the limit of one query, and refused a KiB above it with the limit', () => {
    const memory = new QueryMemory(8 * mib, 3 * mib)
    const claim = new QueryClaim(memory.open())
    expect(claim.cover(3 * mib)).toBeUndefined()
    expect(memory.bytes).toBe(3 * mib)
    expect(claim.cover(3 * mib + 1)).toBe(`one query may hold ${3 * mib} bytes (--query.memory-max)`)
    expect(memory.bytes).toBe(3 * mib)
  })

  it('is refused when others hold too much, and taken when they have ended', () => {
    const memory = new QueryMemory(4 * mib, 4 * mib)
    const first = new QueryClaim(memory.open())
    const second = new QueryClaim(memory.open())
    expect(first.cover(3 * mib)).toBeUndefined()
    expect(second.cover(mib)).toBeUndefined()
    expect(second.cover(mib + 1)).toBe(`all queries together may hold ${4 * mib} bytes, and others hold ${3 * mib}`)
    expect(memory.refusal()).toBe(`memory of all queries is used up: ${4 * mib} of ${4 * mib} bytes`)
    first.reset()
    expect(memory.refusal()).toBeUndefined()
    expect(second.cover(4 * mib)).toBeUndefined()
  })

  it('of a thread that has died is given back', () => {
    const memory = new QueryMemory(4 * mib, 4 * mib)
    const share = memory.open()
    new QueryClaim(share).cover(4 * mib)
    memory.close(share)
    expect(memory.bytes).toBe(0)
    expect(new QueryClaim(memory.open()).cover(4 * mib)).toBeUndefined()
  })

  it('is refused above what the rest of the process leaves, which is never less than small queries need', () => {
    const memory = new QueryMemory(64 * mib, 64 * mib)
    const claim = new QueryClaim(memory.open())
    memory.adapt(20 * mib)
    expect(claim.cover(20 * mib)).toBeUndefined()
    const limit = `${20 * mib} bytes now, as other parts of the process leave no more (--server.memory-max)`
    expect(claim.cover(20 * mib + 1)).toBe(`all queries together may hold ${limit}, and others hold 0`)
    expect(memory.refusal()).toBe(`memory of all queries is used up: ${20 * mib} of ${limit}`)
    claim.reset()
    memory.adapt(-100 * mib)
    expect(claim.cover(16 * mib)).toBeUndefined()
    expect(claim.cover(16 * mib + 1)).toMatch(/may hold 16777216 bytes now/)
    memory.adapt(1000 * mib)
    expect(claim.cover(64 * mib)).toBeUndefined()
  })

  it('counts answers until they are sent, and gives them back once', () => {
    const memory = new QueryMemory(4 * mib, 4 * mib)
    const release = memory.holdAnswer(3 * mib)
    const claim = new QueryClaim(memory.open())
    expect(claim.cover(2 * mib)).toMatch(/others hold 3145728/)
    release()
    release()
    expect(memory.bytes).toBe(0)
    expect(claim.cover(2 * mib)).toBeUndefined()
  })
})

describe('an answer', () => {
  it('counts beside what the query holds, its old buffer too, before it grows', () => {
    const memory = new QueryMemory(64 * mib, 4 * mib)
    const writer = new AnswerWriter(new QueryClaim(memory.open()))
    writer.begin(mib)
    const text = 'x'.repeat(64 * kib)
    expect(() => {
      for (let i = 0; i < 1000; i++) writer.utf8(text)
    }).toThrow(`the answer of the query is too large: one query may hold ${4 * mib} bytes`)
    expect(writer.bytes.length).toBeLessThanOrEqual(2 * mib)
    expect(memory.bytes).toBeLessThanOrEqual(4 * mib)
  })

  it('that is small is written whole', () => {
    const writer = new AnswerWriter(new QueryClaim(new QueryMemory(4 * mib, 4 * mib).open()))
    writer.begin(0)
    for (let i = 0; i < 100_000; i++) writer.utf8('0123456789')
    expect(writer.length).toBe(1_000_000)
  })
})
