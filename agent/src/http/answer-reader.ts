// HTTP/1.1 responses as in RFC 9112.

/** Longest status line and header fields together, and longest trailer fields. */
export const headBytesMax = 64 * 1024
/** Room that a reader keeps for the next answer. */
const bodyBytesKept = 64 * 1024
const chunkLineBytesMax = 256

export interface AnswerHead {
  readonly status: number
  /** Names in lower case; of a repeated field the values are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
}

/** The other side does not speak HTTP/1.x, or not well; the text is Go's where Go has one. */
export class ProtocolError extends Error {
  override name = 'ProtocolError'
}

/** The body is longer than the limit. */
export class LongAnswerError extends Error {
  override name = 'LongAnswerError'
}

const readingHead = 0
const readingSized = 1
const readingUntilEnd = 2
const readingChunkLine = 3
const readingChunk = 4
const readingChunkEnd = 5
const readingTrailer = 6
const done = 7

const emptyBytes: Uint8Array = new Uint8Array(0)
const lineFeed = 10

/**
 * Reads the answers of one connection, one after the other: `begin`, then `push` with what comes until it says that the answer is whole.
 * A body that lies within one push is not copied.
 */
export class AnswerReader {
  #state = done
  #bytesMax = 0
  // What is kept from one push to the next: the head's bytes, or a chunk's line.
  #pending = ''
  #left = 0
  #room = emptyBytes
  #length = 0
  #head: AnswerHead = { status: 0, headers: {} }
  #body = emptyBytes
  #keepsOpen = false

  /** Of the answer that is whole. */
  get head(): AnswerHead {
    return this.#head
  }

  /** Valid until the pushed bytes change or the next answer begins. */
  get body(): Uint8Array {
    return this.#body
  }

  /**
   * Gives the body away: true when its bytes are the caller's from now on, without a copy. Large ones are, unless much of their memory
   * would be for nothing.
   */
  giveBody(): boolean {
    const { byteLength } = this.#body
    if (this.#body.buffer !== this.#room.buffer || byteLength < bodyBytesKept || byteLength * 1.25 < this.#room.length) return false
    this.#room = emptyBytes
    return true
  }

  /** Whether the connection may be used again. */
  get keepsOpen(): boolean {
    return this.#keepsOpen
  }

  begin(bodyBytesMax: number): void {
    this.#state = readingHead
    this.#bytesMax = bodyBytesMax
    this.#pending = ''
    this.#length = 0
    this.#body = emptyBytes
    if (this.#room.length > bodyBytesKept) this.#room = emptyBytes
  }

  /** True when the answer is whole. Throws ProtocolError and LongAnswerError: the connection is of no use then. */
  push(bytes: Uint8Array): boolean {
    let at = 0
    while (this.#state !== done && at < bytes.length) at = this.#step(bytes, at)
    // Nobody asked for more: what follows cannot belong to an answer.
    if (this.#state === done && at < bytes.length) this.#keepsOpen = false
    return this.#state === done
  }

  /** The connection ended: true when that ends the answer as it should. */
  end(): boolean {
    if (this.#state !== readingUntilEnd) return false
    this.#finish(this.#room.subarray(0, this.#length))
    return true
  }

  #step(bytes: Uint8Array, at: number): number {
    switch (this.#state) {
      case readingHead:
        return this.#readHead(bytes, at)
      case readingSized: {
        const end = at + this.#left
        if (this.#length === 0 && end <= bytes.length) {
          this.#finish(bytes.subarray(at, end))
          return end
        }
        const next = this.#copy(bytes, at)
        if (this.#left === 0) this.#finish(this.#room.subarray(0, this.#length))
        return next
      }
      case readingUntilEnd:
        this.#left = bytes.length - at
        return this.#copy(bytes, at)
      case readingChunk: {
        const next = this.#copy(bytes, at)
        if (this.#left === 0) this.#state = readingChunkEnd
        return next
      }
      default:
        return this.#readLine(bytes, at)
    }
  }

  #readHead(bytes: Uint8Array, at: number): number {
    // The end of the head is searched in the bytes: as text, the body behind it would be kept with every header value.
    let text
    if (this.#pending === '') {
      for (let end = bytes.indexOf(lineFeed, at); end >= 0; end = bytes.indexOf(lineFeed, end + 1)) {
        const length = emptyLineBytes(bytes[end + 1], bytes[end + 2])
        if (length === 0) continue
        this.#takeHead(latin1(bytes, at, end))
        return end + 1 + length
      }
      text = latin1(bytes, at, bytes.length)
    } else {
      const before = this.#pending.length
      text = this.#pending + latin1(bytes, at, Math.min(bytes.length, at + headBytesMax))
      // The end may have begun in what came before.
      for (let end = text.indexOf('\n', Math.max(0, before - 2)); end >= 0; end = text.indexOf('\n', end + 1)) {
        const length = emptyLineBytes(text.charCodeAt(end + 1), text.charCodeAt(end + 2))
        if (length === 0) continue
        this.#pending = ''
        this.#takeHead(text.slice(0, end))
        return at + end + 1 + length - before
      }
    }
    if (text.length > headBytesMax) throw new ProtocolError('net/http: server response headers exceeded 65536 bytes; aborted')
    this.#pending = text
    return bytes.length
  }

  #takeHead(text: string): void {
    // As Go, lines may end without a carriage return.
    const lines = text.split(/\r?\n/)
    if (lines.at(-1)!.endsWith('\r')) lines.push(lines.pop()!.slice(0, -1))
    const match = /^HTTP\/1\.([01]) ([1-5][0-9][0-9])(?: |$)/.exec(lines[0]!)
    if (match === null) throw new ProtocolError(`malformed HTTP response ${JSON.stringify(lines[0]!.slice(0, 100))}`)
    const status = Number(match[2])
    // 1xx answers come before the real one; nobody asked to change the protocol.
    if (status === 101) throw new ProtocolError('net/http: unexpected protocol switch')
    if (status < 200) return
    const headers = readFields(lines)
    this.#head = { status, headers }
    const connection = headers['connection']?.toLowerCase() ?? ''
    this.#keepsOpen = match[1] === '1' ? !/\bclose\b/.test(connection) : /\bkeep-alive\b/.test(connection)
    this.#beginBody(status, headers['transfer-encoding'], headers['content-length'])
  }

  #beginBody(status: number, encoding: string | undefined, length: string | undefined): void {
    if (status === 204 || status === 304) return this.#finish(emptyBytes)
    if (encoding !== undefined) {
      if (encoding.toLowerCase() !== 'chunked') throw new ProtocolError(`unsupported transfer encoding: ${JSON.stringify(encoding)}`)
      this.#state = readingChunkLine
      return
    }
    if (length === undefined) {
      this.#keepsOpen = false
      this.#state = readingUntilEnd
      return
    }
    // The same length said twice is one length.
    const [first, ...others] = length.split(', ')
    if (!/^[0-9]{1,15}$/.test(first!) || others.some((other) => other !== first)) {
      throw new ProtocolError(`bad Content-Length ${JSON.stringify(length)}`)
    }
    this.#left = Number(first)
    if (this.#left > this.#bytesMax) throw new LongAnswerError(`want at most ${this.#bytesMax} bytes, got ${this.#left}`)
    if (this.#left === 0) this.#finish(emptyBytes)
    else this.#state = readingSized
  }

  /** The small lines of the chunked form: a size, the line end behind a chunk, trailer fields. */
  #readLine(bytes: Uint8Array, at: number): number {
    let end = at
    while (end < bytes.length && bytes[end] !== 10) end++
    this.#pending += latin1(bytes, at, Math.min(end, at + headBytesMax))
    if (this.#pending.length > (this.#state === readingTrailer ? headBytesMax : chunkLineBytesMax))
      throw new ProtocolError('header line too long')
    if (end === bytes.length) return end
    const line = this.#pending.endsWith('\r') ? this.#pending.slice(0, -1) : this.#pending
    this.#pending = ''
    if (this.#state === readingTrailer) {
      if (line === '') this.#finish(this.#room.subarray(0, this.#length))
    } else if (this.#state === readingChunkEnd) {
      if (line !== '') throw new ProtocolError('malformed chunked encoding')
      this.#state = readingChunkLine
    } else this.#beginChunk(line)
    return end + 1
  }

  #beginChunk(line: string): void {
    const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line)?.[1]
    if (size === undefined) throw new ProtocolError('invalid byte in chunk length')
    this.#left = parseInt(size, 16)
    if (this.#length + this.#left > this.#bytesMax) throw new LongAnswerError(`want at most ${this.#bytesMax} bytes, got more`)
    this.#state = this.#left === 0 ? readingTrailer : readingChunk
  }

  /** Takes up to `#left` bytes into the body. */
  #copy(bytes: Uint8Array, at: number): number {
    const end = Math.min(bytes.length, at + this.#left)
    const length = this.#length + end - at
    if (length > this.#bytesMax) throw new LongAnswerError(`want at most ${this.#bytesMax} bytes, got more`)
    if (length > this.#room.length) {
      // Never more than twice of what has come, whatever was announced.
      const grown = new Uint8Array(Math.max(4096, length + Math.min(this.#left, length)))
      grown.set(this.#room.subarray(0, this.#length))
      this.#room = grown
    }
    this.#room.set(bytes.subarray(at, end), this.#length)
    this.#left -= end - at
    this.#length = length
    return end
  }

  #finish(body: Uint8Array): void {
    this.#body = body
    this.#state = done
  }
}

/** How long the empty line is that these two bytes begin, 0 if they do not. */
function emptyLineBytes(first: number | undefined, second: number | undefined): number {
  if (first === lineFeed) return 1
  return first === 13 && second === lineFeed ? 2 : 0
}

function readFields(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(0, colon))
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw new ProtocolError(`malformed MIME header line: ${line.slice(0, 100)}`)
    const key = name.toLowerCase()
    const value = line.slice(colon + 1).trim()
    const known = headers[key]
    headers[key] = known === undefined ? value : `${known}, ${value}`
  }
  return headers
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}
