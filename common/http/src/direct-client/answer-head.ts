/** The other side does not speak HTTP/1.x, or not well; the text is Go's where Go has one. */
export class ProtocolError extends Error {
  override name = 'ProtocolError'
}

const lineFeed = 10
const carriageReturn = 13
const space = 32
const colon = 58

/** 1 for the bytes of a field name, RFC 9110's token. */
const isTokenByte = new Uint8Array(256)
for (const character of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  isTokenByte[character.charCodeAt(0)] = 1
}

const contentLengthMax = 10 ** 15

/**
 * Status line and fields of one answer, read from their bytes: an answer of a scrape has a handful of fields of which two or three are
 * asked for, so no text is made of the others.
 */
export class AnswerHead {
  status = 0
  /** The first one; '' when there is none. */
  contentType = ''
  contentEncoding = ''
  location: string | undefined
  /** Whether the sender lets the connection be used again. */
  keepsOpen = false
  isChunked = false
  /** -1 when there is none. */
  contentLength = -1
  /** A Content-Length that makes no sense; it does not matter when the body is chunked. */
  badLength: string | undefined
  /** Names in lower case; of a repeated field the values are joined by `, `. Empty unless they are asked for. */
  headers: Readonly<Record<string, string>> = noHeaders

  /** Reads the lines between `start` and `end`, without the empty one. Throws ProtocolError. */
  read(bytes: Uint8Array, start: number, end: number, wantsHeaders: boolean): void {
    let lineEnd = bytes.indexOf(lineFeed, start)
    if (lineEnd < 0 || lineEnd > end) lineEnd = end
    this.contentType = ''
    this.contentEncoding = ''
    this.location = undefined
    this.isChunked = false
    this.contentLength = -1
    this.badLength = undefined
    this.#readStatusLine(bytes, start, trimEnd(bytes, start, lineEnd))
    const headers = wantsHeaders ? (Object.create(null) as Record<string, string>) : undefined
    this.headers = headers ?? noHeaders
    for (let at = lineEnd + 1; at <= end; at = lineEnd + 1) {
      lineEnd = bytes.indexOf(lineFeed, at)
      if (lineEnd < 0 || lineEnd > end) lineEnd = end
      this.#readField(bytes, at, trimEnd(bytes, at, lineEnd), headers)
    }
  }

  /** `HTTP/1.1 200 OK`; the words at its end may be missing. */
  #readStatusLine(bytes: Uint8Array, start: number, end: number): void {
    const isKnown = end - start >= 12 && isText(bytes, start, start + 7, 'http/1.') && bytes[start + 8] === space
    const minor = bytes[start + 7]! - 48
    const first = bytes[start + 9]! - 48
    const second = bytes[start + 10]! - 48
    const third = bytes[start + 11]! - 48
    const isStatus = first >= 1 && first <= 5 && second >= 0 && second <= 9 && third >= 0 && third <= 9
    const isUpper = bytes[start] === 72 && bytes[start + 1] === 84 && bytes[start + 2] === 84 && bytes[start + 3] === 80
    if (!isKnown || !isUpper || (minor !== 0 && minor !== 1) || !isStatus || (end > start + 12 && bytes[start + 12] !== space)) {
      throw new ProtocolError(`malformed HTTP response ${JSON.stringify(latin1(bytes, start, Math.min(end, start + 100)))}`)
    }
    this.status = first * 100 + second * 10 + third
    this.keepsOpen = minor === 1
  }

  #readField(bytes: Uint8Array, start: number, end: number, headers: Record<string, string> | undefined): void {
    let at = start
    while (at < end && isTokenByte[bytes[at]!] === 1) at++
    if (at === start || at === end || bytes[at] !== colon) {
      throw new ProtocolError(`malformed MIME header line: ${latin1(bytes, start, Math.min(end, start + 100))}`)
    }
    let from = at + 1
    while (from < end && bytes[from]! <= space) from++
    while (end > from && bytes[end - 1]! <= space) end--
    if (headers !== undefined) {
      const name = latin1(bytes, start, at).toLowerCase()
      const value = latin1(bytes, from, end)
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
    }
    // All names that are looked for have lengths of their own.
    switch (at - start) {
      case 8:
        if (isText(bytes, start, at, 'location')) this.location ??= latin1(bytes, from, end)
        return
      case 10:
        if (isText(bytes, start, at, 'connection')) this.#readConnection(bytes, from, end)
        return
      case 12:
        if (this.contentType === '' && isText(bytes, start, at, 'content-type')) this.contentType = lastTypes.read(bytes, from, end)
        return
      case 14:
        if (isText(bytes, start, at, 'content-length')) this.#readLength(bytes, from, end)
        return
      case 16:
        if (this.contentEncoding === '' && isText(bytes, start, at, 'content-encoding')) {
          this.contentEncoding = lastEncodings.read(bytes, from, end)
        }
        return
      case 17:
        if (isText(bytes, start, at, 'transfer-encoding')) this.#readTransferEncoding(bytes, from, end)
    }
  }

  #readConnection(bytes: Uint8Array, from: number, end: number): void {
    if (isText(bytes, from, end, 'keep-alive')) this.keepsOpen = true
    else if (isText(bytes, from, end, 'close')) this.keepsOpen = false
    else {
      const options = latin1(bytes, from, end).toLowerCase()
      if (/\bclose\b/.test(options)) this.keepsOpen = false
      else if (/\bkeep-alive\b/.test(options)) this.keepsOpen = true
    }
  }

  /** The same length said twice, in one field or two, is one length. */
  #readLength(bytes: Uint8Array, from: number, end: number): void {
    for (let at = from; ; at++) {
      const first = at
      let length = 0
      for (; at < end && bytes[at]! >= 48 && bytes[at]! <= 57 && length < contentLengthMax; at++) length = length * 10 + bytes[at]! - 48
      const isNumber = at > first && length < contentLengthMax && (at === end || bytes[at] === 44)
      if (!isNumber || (this.contentLength >= 0 && this.contentLength !== length)) {
        this.badLength ??= latin1(bytes, from, Math.min(end, from + 100))
        return
      }
      this.contentLength = length
      if (at === end) return
      while (bytes[at + 1] === space) at++
    }
  }

  #readTransferEncoding(bytes: Uint8Array, from: number, end: number): void {
    if (this.isChunked || !isText(bytes, from, end, 'chunked')) {
      throw new ProtocolError(`unsupported transfer encoding: ${JSON.stringify(latin1(bytes, from, Math.min(end, from + 100)))}`)
    }
    this.isChunked = true
  }
}

const noHeaders: Readonly<Record<string, string>> = Object.freeze(Object.create(null) as Record<string, string>)

/** Texts that come with nearly every answer are made once. */
class LastTexts {
  readonly #texts: string[] = []
  #next = 0

  read(bytes: Uint8Array, start: number, end: number): string {
    for (const text of this.#texts) if (isSame(bytes, start, end, text)) return text
    const text = latin1(bytes, start, end)
    this.#texts[this.#next] = text
    this.#next = (this.#next + 1) % 4
    return text
  }
}

const lastTypes = new LastTexts()
const lastEncodings = new LastTexts()

function isSame(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false
  return true
}

/** Whether these bytes are `text`, which is in lower case, in whatever case. */
function isText(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false
  for (let i = 0; i < text.length; i++) {
    const byte = bytes[start + i]!
    if ((byte >= 65 && byte <= 90 ? byte + 32 : byte) !== text.charCodeAt(i)) return false
  }
  return true
}

/** As Go, lines may end without a carriage return. */
function trimEnd(bytes: Uint8Array, start: number, end: number): number {
  return end > start && bytes[end - 1] === carriageReturn ? end - 1 : end
}

export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}
