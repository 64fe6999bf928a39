import { readText } from '@narthex/exposition/text-cache'
import { Buffer } from 'node:buffer'

/** An error that the server answered, such as `ERR unknown command`: a value, because one bad command is no reason to give up the rest. */
export class RespError {
  readonly message: string

  constructor(message: string) {
    this.message = message
  }
}

/** One reply: bulk strings are bytes (keys need not be text) or, where the caller wants it, text; simple strings are text; nil is null. */
export type RespValue = string | number | Buffer | null | RespError | readonly RespValue[]

/** Bytes that are not RESP, or more of them than is allowed; the connection is of no use afterwards. */
export class RespProtocolError extends Error {
  override name = 'RespProtocolError'
}

/** Longest status, error or number line. */
export const lineBytesMax = 65_536
/** Largest reply, counted over everything in it; INFO ALL of a busy server has some hundred kilobytes. */
export const replyBytesMax = 64 * 1024 * 1024
/** Elements of a reply, those of arrays in arrays included. */
export const elementsMax = 1_000_000
export const depthMax = 16

interface OpenArray {
  readonly items: RespValue[]
  remaining: number
}

const carriageReturn = 13
const lineFeed = 10
const plus = 43
const minus = 45
const colon = 58
const dollar = 36
const star = 42

/** Longest run of digits that is exact in a double whatever the digits are. */
const exactDigits = 15

/**
 * Reads RESP 2 replies from bytes as they come. Chunks are copied into one buffer that grows to the largest bulk string; nothing is read
 * twice, however small the chunks are. https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export class RespReader {
  readonly #onReply: (reply: RespValue) => void
  readonly #wantsText: () => boolean
  #bytes = Buffer.allocUnsafeSlow(16_384)
  #start = 0
  #end = 0
  /** Where to look on for the end of the current line. */
  #scanned = 0
  /** Length of the bulk string whose bytes are awaited, else -1. */
  #bulkLength = -1
  #open: OpenArray[] = []
  #replyBytes = 0
  #elements = 0

  /** `wantsText` tells of the reply that is being read whether its bulk strings are to be text. */
  constructor(onReply: (reply: RespValue) => void, wantsText: () => boolean = () => false) {
    this.#onReply = onReply
    this.#wantsText = wantsText
  }

  /** Takes the next bytes and hands out the replies that they complete. Throws `RespProtocolError`. */
  push(chunk: Uint8Array): void {
    this.#append(chunk)
    for (;;) {
      const value = this.#bulkLength >= 0 ? this.#readBulk() : this.#readLine()
      if (value === undefined) break
      this.#add(value)
    }
    if (this.#start === this.#end) this.#start = this.#end = this.#scanned = 0
  }

  #append(chunk: Uint8Array): void {
    if (this.#end + chunk.length > this.#bytes.length) {
      const used = this.#end - this.#start
      let size = this.#bytes.length
      while (size < used + chunk.length) size *= 2
      const target = size === this.#bytes.length ? this.#bytes : Buffer.allocUnsafeSlow(size)
      this.#bytes.copy(target, 0, this.#start, this.#end)
      this.#bytes = target
      this.#scanned -= this.#start
      this.#start = 0
      this.#end = used
    }
    this.#bytes.set(chunk, this.#end)
    this.#end += chunk.length
  }

  /** The next whole value; undefined if more bytes are needed; an empty open array is no value yet, so the loop goes on inside. */
  #readLine(): RespValue | undefined {
    for (;;) {
      const found = this.#bytes.subarray(0, this.#end).indexOf(lineFeed, this.#scanned)
      if (found < 0) {
        this.#scanned = this.#end
        if (this.#end - this.#start > lineBytesMax) throw tooMuch(`a line of at most ${lineBytesMax} bytes`)
        return undefined
      }
      if (found - this.#start > lineBytesMax) throw tooMuch(`a line of at most ${lineBytesMax} bytes`)
      if (found === this.#start || this.#bytes[found - 1] !== carriageReturn) throw wrong('a line that ends in CR LF', this.#shown(found))
      const start = this.#start + 1
      const end = found - 1
      const type = this.#bytes[this.#start]!
      this.#count(found + 1 - this.#start)
      this.#start = this.#scanned = found + 1
      switch (type) {
        case plus:
          return readText(this.#bytes, start, end)
        case minus:
          return new RespError(this.#bytes.toString('utf8', start, end))
        case colon:
          return this.#readInteger(start, end)
        case dollar: {
          const length = this.#readLength(start, end)
          if (length < 0) return null
          if (this.#replyBytes + length > replyBytesMax) throw tooMuch(`a reply of at most ${replyBytesMax} bytes`)
          this.#bulkLength = length
          return this.#readBulk()
        }
        case star: {
          const length = this.#readLength(start, end)
          if (length < 0) return null
          if (length === 0) return []
          if (length + this.#elements > elementsMax) throw tooMuch(`at most ${elementsMax} elements`)
          if (this.#open.length >= depthMax) throw tooMuch(`arrays in arrays up to ${depthMax} deep`)
          this.#open.push({ items: [], remaining: length })
          break
        }
        default:
          throw wrong('one of + - : $ *', String.fromCharCode(type))
      }
    }
  }

  #readBulk(): Buffer | string | undefined {
    const length = this.#bulkLength
    if (this.#end - this.#start < length + 2) return undefined
    const end = this.#start + length
    if (this.#bytes[end] !== carriageReturn || this.#bytes[end + 1] !== lineFeed) throw wrong('CR LF after a bulk string', 'other bytes')
    const value = this.#wantsText() ? readText(this.#bytes, this.#start, end) : Buffer.from(this.#bytes.subarray(this.#start, end))
    this.#count(length + 2)
    this.#start = this.#scanned = end + 2
    this.#bulkLength = -1
    return value
  }

  /** Puts a value where it belongs: into the innermost array, which it may complete, or out. */
  #add(value: RespValue): void {
    if (++this.#elements > elementsMax) throw tooMuch(`at most ${elementsMax} elements`)
    let whole = value
    for (;;) {
      const array = this.#open.at(-1)
      if (array === undefined) break
      array.items.push(whole)
      if (--array.remaining > 0) return
      this.#open.pop()
      whole = array.items
    }
    this.#replyBytes = 0
    this.#elements = 0
    this.#onReply(whole)
  }

  /** 64-bit integers above 2^53 are rounded, as they would be in a sample. */
  #readInteger(start: number, end: number): number {
    const sign = this.#bytes[start]
    const digitsStart = sign === minus || sign === plus ? start + 1 : start
    const length = end - digitsStart
    const value = this.#readDigits(digitsStart, end)
    if (value < 0 || length > 20) throw wrong('an integer', this.#quote(start, end))
    if (length > exactDigits) return Number(this.#bytes.toString('latin1', start, end))
    return sign === minus ? -value : value
  }

  /** -1 for a string or an array that is none. */
  #readLength(start: number, end: number): number {
    if (end - start === 2 && this.#bytes[start] === minus && this.#bytes[start + 1] === 49) return -1
    const value = this.#readDigits(start, end)
    if (value < 0 || end - start > 10) throw wrong('a length', this.#quote(start, end))
    return value
  }

  /** The number in [start, end), rounded if it is long; -1 where there are no digits or something else. */
  #readDigits(start: number, end: number): number {
    if (end <= start) return -1
    let value = 0
    for (let offset = start; offset < end; offset++) {
      const digit = this.#bytes[offset]! - 48
      if (digit < 0 || digit > 9) return -1
      value = value * 10 + digit
    }
    return value
  }

  #count(bytes: number): void {
    this.#replyBytes += bytes
    if (this.#replyBytes > replyBytesMax) throw tooMuch(`a reply of at most ${replyBytesMax} bytes`)
  }

  #shown(end: number): string {
    return this.#quote(this.#start, end)
  }

  #quote(start: number, end: number): string {
    return JSON.stringify(this.#bytes.toString('latin1', start, Math.min(end, start + 32)))
  }
}

/** A command as the server reads it: an array of bulk strings. */
export function encodeCommand(parts: readonly (string | Uint8Array)[]): Buffer {
  const pieces: Uint8Array[] = []
  // Texts are gathered, so that a command of nothing else is encoded at once.
  let text = `*${parts.length}\r\n`
  for (const part of parts) {
    if (typeof part === 'string') {
      text += `$${Buffer.byteLength(part)}\r\n${part}\r\n`
      continue
    }
    pieces.push(Buffer.from(`${text}$${part.length}\r\n`), part)
    text = '\r\n'
  }
  const last = Buffer.from(text)
  return pieces.length === 0 ? last : Buffer.concat([...pieces, last])
}

function wrong(want: string, got: string): RespProtocolError {
  return new RespProtocolError(`cannot read reply: want ${want}, got ${got}`)
}

function tooMuch(want: string): RespProtocolError {
  return new RespProtocolError(`cannot read reply: want ${want}, got more`)
}
