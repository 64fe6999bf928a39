import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AnswerReader, LongAnswerError, ProtocolError } from './answer-reader.ts'

/** Reads an answer that comes in pieces of these lengths, the last one repeated; undefined while it is not whole. */
function read(text: string, pieces: readonly number[] = [text.length], bodyBytesMax = 1000) {
  const bytes = Buffer.from(text, 'latin1')
  const reader = new AnswerReader()
  reader.begin(bodyBytesMax)
  let isWhole = false
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = Math.max(1, pieces[Math.min(i, pieces.length - 1)]!)
    // A copy that is spoilt afterwards: the socket's buffer is used again.
    const piece = new Uint8Array(bytes.subarray(at, at + length))
    isWhole = reader.push(piece)
    at += length
    if (at < bytes.length) piece.fill(120)
  }
  return { isWhole, reader, body: Buffer.from(reader.body).toString('latin1') }
}

const sized = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 5\r\n\r\nhello'
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: x\r\n\r\n'

const bareSized = sized.replaceAll('\r\n', '\n')
const mixed = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\ncontent-length: 5\n\r\nhello'

describe('AnswerReader', () => {
  for (const [name, text] of Object.entries({ sized, chunked, 'bare-LF sized': bareSized, 'mixed-ends sized': mixed })) {
    it(`reads a ${name} body however it is cut`, () => {
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 1, max: text.length }), { minLength: 1, maxLength: 20 }), (pieces) => {
          const { isWhole, reader, body } = read(text, pieces)
          expect([isWhole, reader.head.status, body, reader.keepsOpen]).toEqual([true, 200, 'hello', true])
        }),
        { numRuns: 300 },
      )
    })

    it(`never takes the begin of a ${name} answer for all of it`, () => {
      for (let length = 1; length < text.length; length++) expect(read(text.slice(0, length)).isWhole).toBe(false)
    })

    it(`keeps within the limit for a ${name} body`, () => {
      expect(() => read(text, [text.length], 4)).toThrow(LongAnswerError)
      expect(() => read(text, [7], 4)).toThrow(LongAnswerError)
    })
  }

  it('gives header names in lower case and joins repeated ones', () => {
    const { reader } = read('HTTP/1.1 204 No Content\r\nX-A: 1\r\nx-a:  2 \r\n\r\n')
    expect(reader.head).toEqual({ status: 204, headers: Object.assign(Object.create(null), { 'x-a': '1, 2' }) })
  })

  it('passes over answers that come before the real one', () => {
    expect(read(`HTTP/1.1 100 Continue\r\n\r\n${sized}`, [9]).body).toBe('hello')
  })

  it('reads to the end of the connection without a length, and not further than the limit', () => {
    const { isWhole, reader } = read('HTTP/1.0 200 OK\r\n\r\nhello', [3])
    expect(isWhole).toBe(false)
    expect(reader.end()).toBe(true)
    expect(Buffer.from(reader.body).toString()).toBe('hello')
    expect(reader.keepsOpen).toBe(false)
    expect(() => read('HTTP/1.0 200 OK\r\n\r\nhello', [3], 4)).toThrow(LongAnswerError)
  })

  it('does not take the end of the connection for the end of a sized body', () => {
    expect(read(sized.slice(0, -1)).reader.end()).toBe(false)
  })

  it.each([
    ['the server says so', sized.replace('OK\r\n', 'OK\r\nConnection: Close\r\n')],
    ['it speaks HTTP/1.0', sized.replace('HTTP/1.1', 'HTTP/1.0')],
    ['more comes than an answer', `${sized}HTTP/1.1 200 OK\r\n`],
  ])('uses a connection once when %s', (_why, text) => {
    const { isWhole, reader } = read(text)
    expect([isWhole, reader.keepsOpen]).toEqual([true, false])
  })

  it.each([
    'SSH-2.0-OpenSSH\r\n\r\n',
    'HTTP/2 200 OK\r\n\r\n',
    'HTTP/1.1 101 Switching\r\n\r\n',
    'HTTP/1.1 200 OK\r\nno colon\r\n\r\n',
    'HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n',
    `HTTP/1.1 200 OK\r\na: ${'b'.repeat(70_000)}`,
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;${'b'.repeat(300)}`,
  ])('refuses %j', (text) => {
    expect(() => read(text)).toThrow(ProtocolError)
    expect(() => read(text, [5])).toThrow(ProtocolError)
  })

  it('throws nothing but its own errors for any bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(sized, chunked),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: 1, max: 9 }),
        (text, at, byte, piece) => {
          const changed = text.slice(0, at % text.length) + String.fromCharCode(byte) + text.slice((at % text.length) + 1)
          try {
            read(changed, [piece])
          } catch (error) {
            if (!(error instanceof ProtocolError) && !(error instanceof LongAnswerError)) throw error
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})
