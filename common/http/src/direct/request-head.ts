/** What a direct route needs to know of a request. */
export interface RequestHead {
  readonly path: string
  /** Length of the head itself, the empty line included. */
  readonly headBytes: number
  readonly bodyBytes: number
  readonly authorization: string | undefined
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
}

const headBytesMax = 8 * 1024
const headEnd = Buffer.from('\r\n\r\n')

// Names of token characters right before their colon, values without control characters: no folded line, no bare CR or LF, no NUL.
const wellFormed = /^POST (\/[\x21-\x7e]*) HTTP\/1\.1\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)+)\r\n$/
const decimal = /^[0-9]{1,9}$/
const lengthDigitsMax = 9
// There is one, and no other line can look so.
const lengthPlace = /(\r\ncontent-length:[\t ]*)([0-9]+)(?=\r\n)/i

/**
 * The head of a POST request that begins at `start` and says the least that HTTP/1.1 asks for: one Host, one Content-Length, nothing about how the
 * body or the connection is to be understood but what is so anyway. Undefined for all else, right or wrong: that is for a complete parser, which
 * gets the same bytes. So whatever is read here, every parser reads the same.
 */
export function readRequestHead(bytes: Buffer, start: number): RequestHead | undefined {
  const end = bytes.indexOf(headEnd, start)
  const headBytes = end + headEnd.length - start
  if (end < 0 || headBytes > headBytesMax) return undefined
  const match = wellFormed.exec(bytes.toString('latin1', start, start + headBytes))
  if (match === null) return undefined
  const fields = match[2]!
  let hosts = 0
  let length: string | undefined
  let authorization: string | undefined
  let contentType: string | undefined
  let contentEncoding: string | undefined
  for (let at = 0; at < fields.length;) {
    const lineEnd = fields.indexOf('\r\n', at)
    const colon = fields.indexOf(':', at)
    const name = fields.slice(at, colon).toLowerCase()
    at = lineEnd + 2
    const value = trimBlanks(fields, colon + 1, lineEnd)
    switch (name) {
      case 'host':
        hosts++
        break
      case 'content-length':
        if (length !== undefined || !decimal.test(value)) return undefined
        length = value
        break
      case 'authorization':
        if (authorization !== undefined) return undefined
        authorization = value
        break
      case 'content-type':
        if (contentType !== undefined) return undefined
        contentType = value
        break
      case 'content-encoding':
        if (contentEncoding !== undefined) return undefined
        contentEncoding = value
        break
      case 'connection':
        if (value.toLowerCase() !== 'keep-alive') return undefined
        break
      case 'transfer-encoding':
      case 'expect':
      case 'upgrade':
      case 'trailer':
      case 'te':
        return undefined
    }
  }
  if (hosts !== 1 || length === undefined) return undefined
  return { path: match[1]!, headBytes, bodyBytes: Number(length), authorization, contentType, contentEncoding }
}

function trimBlanks(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

const carriageReturn = 0x0d
const zero = 0x30

/**
 * Reads the heads of one connection. A sender says the same each time but for the length of the body: a head whose other bytes are those of the one
 * before is not taken apart again.
 */
export class RequestHeads {
  #before: RequestHead | undefined
  /** The head before, and where the digits of its length are. */
  #bytes: Buffer = Buffer.alloc(0)
  #digitsStart = 0
  #digitsEnd = 0

  /** As `readRequestHead`. */
  read(bytes: Buffer, start: number): RequestHead | undefined {
    const before = this.#before
    const same = before === undefined ? undefined : this.#readSame(before, bytes, start)
    if (same !== undefined) return same
    const head = readRequestHead(bytes, start)
    if (head !== undefined) this.#remember(head, bytes, start)
    return head
  }

  #readSame(before: RequestHead, bytes: Buffer, start: number): RequestHead | undefined {
    const known = this.#bytes
    const digitsStart = start + this.#digitsStart
    let at = digitsStart
    let bodyBytes = 0
    for (; at < bytes.length && bytes[at] !== carriageReturn; at++) {
      const digit = bytes[at]! - zero
      if (!(digit >= 0 && digit <= 9) || at - digitsStart === lengthDigitsMax) return undefined
      bodyBytes = bodyBytes * 10 + digit
    }
    const end = at + known.length - this.#digitsEnd
    if (at === digitsStart || end > bytes.length || end - start > headBytesMax) return undefined
    if (known.compare(bytes, start, digitsStart, 0, this.#digitsStart) !== 0) return undefined
    if (known.compare(bytes, at, end, this.#digitsEnd) !== 0) return undefined
    const { path, authorization, contentType, contentEncoding } = before
    return { path, headBytes: end - start, bodyBytes, authorization, contentType, contentEncoding }
  }

  #remember(head: RequestHead, bytes: Buffer, start: number): void {
    // A copy: of the chunk the body is the larger part.
    const known = Buffer.from(bytes.subarray(start, start + head.headBytes))
    const place = lengthPlace.exec(known.toString('latin1'))
    if (place === null) return
    this.#bytes = known
    this.#digitsStart = place.index + place[1]!.length
    this.#digitsEnd = this.#digitsStart + place[2]!.length
    this.#before = head
  }
}
