import { expect, test } from 'vitest'
import { AnswerBuffers } from './answer-buffers.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test('a copy is its own until it is given back, then its memory is used again', () => {
  const buffers = new AnswerBuffers()
  const first = buffers.copy(bytes('one'))
  const second = buffers.copy(bytes('two'))
  expect([first.toString(), second.toString()]).toEqual(['one', 'two'])
  buffers.release(first)
  const third = buffers.copy(bytes('six'))
  expect(third.buffer).toBe(first.buffer)
  expect([second.toString(), third.toString()]).toEqual(['two', 'six'])
})

test('an answer that is longer gets other memory, one that is shorter only its part', () => {
  const buffers = new AnswerBuffers()
  const first = buffers.copy(bytes('a'.repeat(100)))
  buffers.release(first)
  expect(buffers.copy(bytes('b')).toString()).toBe('b')
  buffers.release(first)
  expect(buffers.copy(bytes('c'.repeat(1000))).toString()).toBe('c'.repeat(1000))
})

test('two buffers of up to 4 MiB are kept', () => {
  const buffers = new AnswerBuffers()
  const three = ['a', 'b', 'c'].map((text) => buffers.copy(bytes(text)))
  for (const copy of three) buffers.release(copy)
  const again = ['d', 'e', 'f'].map((text) => buffers.copy(bytes(text)).buffer)
  expect(again.filter((buffer) => three.some((copy) => copy.buffer === buffer))).toHaveLength(2)
  const large = buffers.copy(new Uint8Array(4 * 1024 * 1024))
  buffers.release(large)
  expect(buffers.copy(bytes('x')).buffer).not.toBe(large.buffer)
})
