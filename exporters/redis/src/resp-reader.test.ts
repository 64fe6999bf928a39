import fc from 'fast-check'
import { expect, test } from 'vitest'
import { depthMax, encodeCommand, lineBytesMax, replyBytesMax, RespError, RespReader, type RespValue } from './resp-reader.ts'

function readAll(bytes: Uint8Array, pieceBytes = bytes.length || 1): RespValue[] {
  const replies: RespValue[] = []
  const reader = new RespReader((reply) => void replies.push(reply))
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes))
  return replies
}

function encode(value: RespValue): Buffer {
  if (value === null) return Buffer.from('$-1\r\n')
  if (value instanceof RespError) return Buffer.from(`-${value.message}\r\n`)
  if (typeof value === 'number') return Buffer.from(`:${value}\r\n`)
  if (typeof value === 'string') return Buffer.from(`+${value}\r\n`)
  if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')])
  return Buffer.concat([Buffer.from(`*${value.length}\r\n`), ...value.map(encode)])
}

const line = fc.string({ unit: 'grapheme-ascii', maxLength: 20 }).filter((text) => !/[\r\n]/.test(text))
const reply = fc.letrec<{ value: RespValue; list: RespValue[] }>((tie) => ({
  list: fc.array(tie('value'), { maxLength: 4 }),
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 6 },
    line,
    fc.integer(),
    fc.constant(null),
    line.map((text) => new RespError(text)),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    tie('list'),
  ),
})).value

test('every reply reads back as it was, in pieces of any size', () => {
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 5 }), fc.integer({ min: 1, max: 50 }), (replies, pieceBytes) => {
      expect(readAll(Buffer.concat(replies.map(encode)), pieceBytes)).toEqual(replies)
    }),
    { numRuns: 300 },
  )
})

test('a reply stays as it is when the next one overwrites the buffer', () => {
  const replies: RespValue[] = []
  const reader = new RespReader((value) => void replies.push(value))
  reader.push(Buffer.from('$3\r\nabc\r\n'))
  reader.push(Buffer.from('$3\r\nxyz\r\n'))
  expect(replies.map(String)).toEqual(['abc', 'xyz'])
})

test.each([
  ['another type', '%1\r\n', 'want one of + - : $ *, got %'],
  ['a lone line feed', '+OK\n', 'want a line that ends in CR LF'],
  ['a number that is none', ':1.5\r\n', 'want an integer, got "1.5"'],
  ['a negative length', '$-2\r\n', 'want a length, got "-2"'],
  ['a length that is none', '*x\r\n', 'want a length, got "x"'],
  ['a bulk string without its end', '$1\r\nabc', 'want CR LF after a bulk string'],
])('%s is refused', (_, text, message) => {
  expect(() => readAll(Buffer.from(text))).toThrow(message)
})

test('a line may be as long as the limit and no longer', () => {
  expect(readAll(Buffer.from(`+${'x'.repeat(lineBytesMax - 2)}\r\n`))).toHaveLength(1)
  expect(() => readAll(Buffer.from(`+${'x'.repeat(lineBytesMax)}\r\n`))).toThrow(`a line of at most ${lineBytesMax} bytes`)
  expect(() => readAll(Buffer.from('x'.repeat(lineBytesMax + 1)))).toThrow(`a line of at most ${lineBytesMax} bytes`)
})

test('arrays nest to the limit and no deeper', () => {
  expect(readAll(Buffer.from('*1\r\n'.repeat(depthMax) + ':1\r\n'))).toHaveLength(1)
  expect(() => readAll(Buffer.from('*1\r\n'.repeat(depthMax + 1) + ':1\r\n'))).toThrow(`up to ${depthMax} deep`)
})

test('a reply larger than the limit is refused before its bytes come', () => {
  expect(readAll(Buffer.from(`$${replyBytesMax - 20}\r\n`))).toEqual([])
  expect(() => readAll(Buffer.from(`$${replyBytesMax + 1}\r\n`))).toThrow(`a reply of at most ${replyBytesMax} bytes`)
  expect(() => readAll(Buffer.from('*1000001\r\n'))).toThrow('at most 1000000 elements')
})

test('small parts of one reply add up to the limit', () => {
  const reader = new RespReader(() => undefined)
  const part = Buffer.from(`$${1024 * 1024}\r\n${'x'.repeat(1024 * 1024)}\r\n`)
  reader.push(Buffer.from('*1000\r\n'))
  expect(() => {
    for (let i = 0; i < 65; i++) reader.push(part)
  }).toThrow(`a reply of at most ${replyBytesMax} bytes`)
})

test('a command is an array of bulk strings, bytes as they are', () => {
  expect(encodeCommand(['GET', 'ä', Uint8Array.from([255])]).toString('latin1')).toBe('*3\r\n$3\r\nGET\r\n$2\r\nÃ¤\r\n$1\r\nÿ\r\n')
})
