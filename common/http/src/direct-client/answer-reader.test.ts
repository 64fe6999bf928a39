import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from './answer-head.ts'
import { AnswerReader, LongAnswerError, skippedBytesMax, streamBytesMin, TakeError, type AnswerUse } from './answer-reader.ts'
import { bodyRooms, roomsKept } from './body-rooms.ts'

interface Reading {
  readonly bodyBytesMax?: number
  readonly isWanted?: boolean
  /** Gets the pieces when the body is large; undefined: it is wanted whole. */
  readonly pieces?: string[]
  readonly failsAt?: 'head' | 'open' | 'push'
}

const failure = new TypeError('no')
let opened = 0

function useFor({ bodyBytesMax = 1000, isWanted = true, pieces, failsAt }: Reading): AnswerUse {
  const fail = (at: Reading['failsAt']): void => {
    if (at === failsAt) throw failure
  }
  return {
    bodyBytesMax,
    wantsHeaders: true,
    wantsBody() {
      fail('head')
      return isWanted
    },
    open() {
      opened++
      fail('open')
      if (pieces === undefined) return undefined
      return {
        push(bytes) {
          fail('push')
          pieces.push(Buffer.from(bytes).toString('latin1'))
        },
      }
    },
  }
}

/** Reads an answer that comes in pieces of these lengths, the last one repeated; undefined while it is not whole. */
function read(text: string, lengths: readonly number[] = [text.length], reading: Reading = {}) {
  const bytes = Buffer.from(text, 'latin1')
  const reader = new AnswerReader()
  reader.begin(useFor(reading))
  let isWhole = false
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = Math.max(1, lengths[Math.min(i, lengths.length - 1)]!)
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
      expect(() => read(text, [text.length], { bodyBytesMax: 4 })).toThrow(LongAnswerError)
      expect(() => read(text, [7], { bodyBytesMax: 4 })).toThrow(LongAnswerError)
    })
  }

  it('gives header names in lower case and joins repeated ones', () => {
    const { reader } = read('HTTP/1.1 204 No Content\r\nX-A: 1\r\nx-a:  2 \r\n\r\n')
    expect(reader.head.status).toBe(204)
    expect({ ...reader.head.headers }).toEqual({ 'x-a': '1, 2' })
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
    expect(() => read('HTTP/1.0 200 OK\r\n\r\nhello', [3], { bodyBytesMax: 4 })).toThrow(LongAnswerError)
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

  it.each([
    ['answers before the real one', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(2_700)],
    ['trailer fields', `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n${'a: b\r\n'.repeat(11_000)}`],
  ])('refuses %s without end', (_what, text) => {
    expect(() => read(text)).toThrow(ProtocolError)
    expect(() => read(text, [1000])).toThrow(ProtocolError)
  })

  it('reads what a scrape asks of the head, in whatever case and order', () => {
    const { reader } = read(
      'HTTP/1.1 301 Moved\r\nCONTENT-TYPE:text/plain; a=b \r\nDate: x\r\ncontent-encoding:\tGZIP\r\nLocation: /there\r\nContent-Length: 2, 2\r\ncontent-length: 2\r\nContent-Type: other\r\n\r\nab',
    )
    const { status, contentType, contentEncoding, location, contentLength } = reader.head
    expect([status, contentType, contentEncoding, location, contentLength]).toEqual([301, 'text/plain; a=b', 'GZIP', '/there', 2])
  })

  it('reads a head of the longest length, and none longer', () => {
    const head = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\na: '
    const text = (bytes: number) => `${head}${'b'.repeat(bytes - head.length)}\r\n\r\n`
    for (const lengths of [[100_000], [9000], [1000, 1]]) {
      expect(read(text(65_530), lengths).isWhole).toBe(true)
      expect(() => read(`${head}${'b'.repeat(66_000)}`, lengths)).toThrow('exceeded 65536 bytes')
    }
  })

  it('moves the chunks of one push together where they lie', () => {
    const bytes = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n')
    const reader = new AnswerReader()
    reader.begin(useFor({}))
    expect(reader.push(bytes)).toBe(true)
    expect(Buffer.from(reader.body).toString()).toBe('hello')
    expect(reader.body.buffer).toBe(bytes.buffer)
  })

  describe('of a large body', () => {
    const content = Array.from({ length: streamBytesMin + 1 }, (_, i) => String.fromCharCode(97 + (i % 26))).join('')
    const forms: Record<string, (body: string) => string> = {
      sized: (body) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      chunked: (body) =>
        `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body.replaceAll(/[^]{1,5000}/g, (chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)}0\r\n\r\n`,
    }
    const reading = { bodyBytesMax: 1e6 }

    for (const [name, form] of Object.entries(forms)) {
      it(`gives the pieces of a ${name} one away, and a smaller one whole`, () => {
        for (const lengths of [[65_536], [300, 4099]]) {
          const pieces: string[] = []
          opened = 0
          const whole = read(form(content.slice(1)), lengths, { ...reading, pieces })
          expect([whole.isWhole, whole.reader.isStreamed, opened, pieces.length]).toEqual([true, false, 0, 0])
          expect(whole.body === content.slice(1)).toBe(true)
          const { isWhole, reader } = read(form(content), lengths, { ...reading, pieces })
          expect([isWhole, reader.isStreamed, reader.body.length, opened, reader.keepsOpen]).toEqual([true, true, 0, 1, true])
          expect(pieces.join('') === content).toBe(true)
        }
      })

      it(`collects a ${name} one when nobody takes pieces, asking once`, () => {
        opened = 0
        const body = content.repeat(3)
        const { isWhole, reader, body: got } = read(form(body), [60_000], reading)
        expect([isWhole, reader.isStreamed, opened]).toEqual([true, false, 1])
        expect(got === body).toBe(true)
      })

      it(`keeps the limit of a ${name} one`, () => {
        const pieces: string[] = []
        expect(read(form(content), [65_536], { pieces, bodyBytesMax: content.length }).isWhole).toBe(true)
        expect(() => read(form(content), [65_536], { pieces, bodyBytesMax: content.length - 1 })).toThrow(LongAnswerError)
      })
    }

    it('gives away what comes until the connection ends', () => {
      const pieces: string[] = []
      const { reader } = read(`HTTP/1.0 200 OK\r\n\r\n${content}`, [10_000], { ...reading, pieces })
      expect([reader.end(), reader.isStreamed, pieces.join('') === content]).toEqual([true, true, true])
    })

    it('tells what its taker threw from what the sender did', () => {
      for (const failsAt of ['head', 'open', 'push'] as const) {
        let caught: unknown
        try {
          read(forms['sized']!(content), [65_536], { ...reading, pieces: [], failsAt })
        } catch (error) {
          caught = error
        }
        expect(caught).toBeInstanceOf(TakeError)
        expect((caught as Error).cause).toBe(failure)
      }
    })
  })

  it('passes over a body that nobody wants, as far as it pays', () => {
    const text = (bytes: number) => `HTTP/1.1 404 Not Found\r\ncontent-length: ${bytes}\r\n\r\n${'x'.repeat(bytes)}`
    const skip = { isWanted: false, bodyBytesMax: 10 }
    for (const [bytes, keepsOpen] of [
      [skippedBytesMax, true],
      [skippedBytesMax + 1, false],
    ] as const) {
      const { isWhole, reader } = read(text(bytes), [50_000], skip)
      expect([isWhole, reader.body.length, reader.keepsOpen]).toEqual([true, 0, keepsOpen])
    }
  })

  it('takes one room for bodies that come in several pushes, and gives it back', () => {
    const reader = new AnswerReader()
    const bytes = Buffer.from(sized)
    const readSlowly = (): ArrayBufferLike => {
      reader.begin(useFor({}))
      expect(reader.push(bytes.subarray(0, -2))).toBe(false)
      expect(reader.push(bytes.subarray(-2))).toBe(true)
      return reader.body.buffer
    }
    const first = readSlowly()
    reader.release()
    const kept = bodyRooms.kept
    expect(readSlowly()).toBe(first)
    expect(bodyRooms.kept).toBe(kept - 1)
    reader.release()
    // Also when the connection ends in the middle.
    reader.begin(useFor({}))
    reader.push(bytes.subarray(0, -2))
    reader.release()
    expect(bodyRooms.kept).toBe(kept)
  })

  it('keeps no more rooms than it says', () => {
    const readers = Array.from({ length: roomsKept + 3 }, () => new AnswerReader())
    for (const reader of readers) {
      reader.begin(useFor({}))
      reader.push(Buffer.from(sized.slice(0, -1)))
    }
    for (const reader of readers) reader.release()
    expect(bodyRooms.kept).toBe(roomsKept)
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
