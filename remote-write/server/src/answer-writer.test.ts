import { describe, expect, it } from 'vitest'
import { AnswerWriter } from './answer-writer.ts'
import { QueryClaim, QueryMemory } from './query-memory.ts'

const makeWriter = () => new AnswerWriter(new QueryClaim(new QueryMemory(2 ** 26, 2 ** 24).open()))

describe('the buffer of an answer', () => {
  it('goes with the answer, and serves another one when it comes back', () => {
    const writer = makeWriter()
    writer.begin(0)
    writer.utf8('x'.repeat(300_000))
    const answer = writer.take()
    expect([answer.length, writer.length]).toEqual([300_000, 0])
    writer.begin(0)
    writer.utf8('other')
    expect(Buffer.from(answer.subarray(0, 3)).toString()).toBe('xxx')
    // While an answer is written nothing comes between.
    const buffer = answer.buffer as ArrayBuffer
    writer.adopt(buffer)
    expect(Buffer.from(writer.view()).toString()).toBe('other')
    writer.begin(0)
    writer.adopt(buffer)
    writer.utf8('next')
    expect(writer.bytes.buffer).toBe(buffer)
    expect(Buffer.from(writer.view()).toString()).toBe('next')
    // A smaller one does not replace it.
    writer.begin(0)
    writer.adopt(new ArrayBuffer(1000))
    expect(writer.bytes.buffer).toBe(buffer)
  })
})
