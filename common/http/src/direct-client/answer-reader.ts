import { AnswerHead, latin1, ProtocolError } from './answer-head.ts'
import { bodyRooms, roomBytes } from './body-rooms.ts'

// HTTP/1.1 responses as in RFC 9112.

/** Longest status line and header fields together, those of 1xx answers before them included, and longest trailer fields. */
export const headBytesMax = 64 * 1024
/** A body of more bytes, as sent, is given away in pieces if its taker wants that. */
export const streamBytesMin = roomBytes
/** This much of a body that nobody wants is passed over; after more the connection is of no use. */
export const skippedBytesMax = 256 * 1024
const chunkLineBytesMax = 256

/** The body is longer than the limit. */
export class LongAnswerError extends Error {
  override name = 'LongAnswerError'
}

/** Carries what the taker of an answer threw, as its cause. */
export class TakeError extends Error {
  override name = 'TakeError'

  constructor(cause: unknown) {
    super('', { cause })
  }
}

/** Takes a body as it comes: bytes cut anywhere, valid until it returns. */
export interface PieceTaker {
  push(bytes: Uint8Array): void
}

/** What is done with an answer. What it throws comes out of `push` as TakeError. */
export interface AnswerUse {
  readonly bodyBytesMax: number
  /** Whether all header fields are needed. */
  readonly wantsHeaders: boolean
  /** Asked when the head is read: false to pass over the body, which is empty then. */
  wantsBody(head: AnswerHead): boolean
  /** Asked once for a body of more than `streamBytesMin`: undefined to have it whole. */
  open(head: AnswerHead): PieceTaker | undefined
}

const readingHead = 0
const readingSized = 1
const readingUntilEnd = 2
const readingChunkLine = 3
const readingChunk = 4
const readingChunkEnd = 5
const readingTrailer = 6
const done = 7

// How the body is kept. Pieces that came in one push are moved together where they lie.
const lies = 0
const isInRoom = 1
const isStreamed = 2
const isSkipped = 3

const emptyBytes: Uint8Array = new Uint8Array(0)
const lineFeed = 10
const longHead = `net/http: server response headers exceeded ${headBytesMax} bytes; aborted`

/**
 * Reads the answers of one connection, one after the other: `begin`, then `push` with what comes until it says that the answer is whole,
 * then `release` when it was taken. A body that lies within one push is not copied out of it.
 */
export class AnswerReader {
  readonly head = new AnswerHead()
  #use: AnswerUse | undefined
  #state = done
  #keeping = lies
  // The begin of a head that is not whole.
  #headBytes = emptyBytes
  #headLength = 0
  // Of 1xx answers, and then of trailer lines: without a bound they could come for ever.
  #besidesBytes = 0
  // The begin of a chunk's line.
  #line = ''
  #left = 0
  #room = emptyBytes
  #start = 0
  #length = 0
  #body = emptyBytes
  #pieces: PieceTaker | undefined
  #keepsOpen = false

  /** Of the answer that is whole; empty if it was streamed. Valid until the pushed bytes change or `release`. */
  get body(): Uint8Array {
    return this.#body
  }

  /** Whether the body went to what `open` gave. */
  get isStreamed(): boolean {
    return this.#keeping === isStreamed
  }

  /** Whether the connection may be used again. */
  get keepsOpen(): boolean {
    return this.#keepsOpen
  }

  begin(use: AnswerUse): void {
    this.release()
    this.#use = use
    this.#state = readingHead
  }

  /** Gives back what the answer needed; to be called when it was taken, and when no more of it will come. */
  release(): void {
    if (this.#room.length === roomBytes) bodyRooms.give(this.#room)
    this.#use = undefined
    this.#state = done
    this.#keeping = lies
    this.#headBytes = this.#room = this.#body = emptyBytes
    this.#headLength = this.#length = this.#besidesBytes = 0
    this.#line = ''
    this.#pieces = undefined
  }

  /**
   * True when the answer is whole. Throws ProtocolError, LongAnswerError and TakeError: the connection is of no use then. Bytes that were read
   * may be overwritten.
   */
  push(bytes: Uint8Array): boolean {
    let at = 0
    while (this.#state !== done && at < bytes.length) at = this.#step(bytes, at)
    if (this.#state === done) {
      // Nobody asked for more: what follows cannot belong to an answer.
      if (at < bytes.length) this.#keepsOpen = false
      return true
    }
    if (this.#keeping === lies && this.#length > 0) this.#keep(bytes.subarray(this.#start, this.#start + this.#length), 0)
    return false
  }

  /** The connection ended: true when that ends the answer as it should. */
  end(): boolean {
    if (this.#state !== readingUntilEnd) return false
    this.#finish(emptyBytes)
    return true
  }

  #step(bytes: Uint8Array, at: number): number {
    switch (this.#state) {
      case readingHead:
        return this.#readHead(bytes, at)
      case readingSized: {
        const next = this.#takePiece(bytes, at)
        if (this.#left === 0) this.#finish(bytes)
        return next
      }
      case readingUntilEnd:
        this.#left = bytes.length - at
        return this.#takePiece(bytes, at)
      case readingChunk: {
        const next = this.#takePiece(bytes, at)
        if (this.#left === 0 && this.#state === readingChunk) this.#state = readingChunkEnd
        return next
      }
      default:
        return this.#readLine(bytes, at)
    }
  }

  #readHead(bytes: Uint8Array, at: number): number {
    const before = this.#headLength
    if (before === 0) {
      const end = findHeadEnd(bytes, at)
      if (end >= 0) return this.#takeHead(bytes, at, end)
    }
    const taken = Math.min(bytes.length, at + headBytesMax + 1 - before)
    this.#keepHead(bytes, at, taken)
    // The end may have begun in what came before.
    const end = before === 0 ? -1 : findHeadEnd(this.#headBytes.subarray(0, this.#headLength), Math.max(0, before - 2))
    if (end >= 0) {
      const headBytes = this.#headBytes
      this.#headBytes = emptyBytes
      this.#headLength = 0
      return at + this.#takeHead(headBytes, 0, end) - before
    }
    if (this.#headLength > headBytesMax) throw new ProtocolError(longHead)
    return taken
  }

  #keepHead(bytes: Uint8Array, at: number, end: number): void {
    const length = this.#headLength + end - at
    if (length > this.#headBytes.length) {
      const grown = new Uint8Array(Math.max(1024, length * 2))
      grown.set(this.#headBytes.subarray(0, this.#headLength))
      this.#headBytes = grown
    }
    this.#headBytes.set(bytes.subarray(at, end), this.#headLength)
    this.#headLength = length
  }

  /** `end` is at the line feed of the last line. Returns where the body begins. */
  #takeHead(bytes: Uint8Array, at: number, end: number): number {
    const { head } = this
    head.read(bytes, at, end, this.#use!.wantsHeaders)
    const next = end + 1 + emptyLineBytes(bytes[end + 1], bytes[end + 2])
    // 1xx answers come before the real one; nobody asked to change the protocol.
    if (head.status === 101) throw new ProtocolError('net/http: unexpected protocol switch')
    if (head.status < 200) {
      this.#besidesBytes += next - at
      if (this.#besidesBytes > headBytesMax) throw new ProtocolError(longHead)
      return next
    }
    this.#besidesBytes = 0
    this.#keepsOpen = head.keepsOpen
    if (!this.#isWanted()) this.#keeping = isSkipped
    this.#beginBody()
    return next
  }

  #isWanted(): boolean {
    try {
      return this.#use!.wantsBody(this.head)
    } catch (error) {
      throw new TakeError(error)
    }
  }

  #beginBody(): void {
    const { status, isChunked, contentLength, badLength } = this.head
    if (status === 204 || status === 304) return this.#finish(emptyBytes)
    if (isChunked) {
      this.#state = readingChunkLine
      return
    }
    if (badLength !== undefined) throw new ProtocolError(`bad Content-Length ${JSON.stringify(badLength)}`)
    if (contentLength < 0) {
      this.#keepsOpen = false
      this.#state = readingUntilEnd
      return
    }
    this.#left = contentLength
    if (this.#keeping !== isSkipped) this.#checkLength(contentLength)
    if (contentLength === 0) this.#finish(emptyBytes)
    else this.#state = readingSized
  }

  /** The small lines of the chunked form: a size, the line end behind a chunk, trailer fields. */
  #readLine(bytes: Uint8Array, at: number): number {
    let end = at
    while (end < bytes.length && bytes[end] !== lineFeed) end++
    // A chunk and its line mostly lie in one push.
    const hasCarriageReturn = end > at && end < bytes.length && bytes[end - 1] === 13
    if (this.#state === readingChunkEnd && this.#line === '' && hasCarriageReturn && end === at + 1) {
      this.#state = readingChunkLine
      return end + 1
    }
    this.#line += latin1(bytes, at, Math.min(end, at + headBytesMax))
    if (this.#state === readingTrailer) this.#besidesBytes += end + 1 - at
    if (this.#line.length > chunkLineBytesMax && this.#state !== readingTrailer) throw new ProtocolError('header line too long')
    if (this.#besidesBytes > headBytesMax) throw new ProtocolError('header line too long')
    if (end === bytes.length) return end
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line
    this.#line = ''
    if (this.#state === readingTrailer) {
      if (line === '') this.#finish(bytes)
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
    if (this.#keeping !== isSkipped) this.#checkLength(this.#length + this.#left)
    this.#state = this.#left === 0 ? readingTrailer : readingChunk
  }

  #checkLength(bytes: number): void {
    const { bodyBytesMax } = this.#use!
    if (bytes > bodyBytesMax) throw new LongAnswerError(`want at most ${bodyBytesMax} bytes, got ${bytes}`)
  }

  /** Takes up to `#left` bytes into the body. */
  #takePiece(bytes: Uint8Array, at: number): number {
    const end = Math.min(bytes.length, at + this.#left)
    this.#left -= end - at
    switch (this.#keeping) {
      case lies:
        if (this.#length === 0) this.#start = at
        else bytes.copyWithin(this.#start + this.#length, at, end)
        this.#length += end - at
        this.#checkLength(this.#length)
        break
      case isSkipped:
        this.#length += end - at
        if (this.#length > skippedBytesMax) this.#giveUp()
        break
      default:
        this.#keep(bytes.subarray(at, end), this.#length)
    }
    return end
  }

  /** Nobody waits for the rest. */
  #giveUp(): void {
    this.#keepsOpen = false
    this.#finish(emptyBytes)
  }

  /** Puts a piece behind the `before` bytes of the body that are kept already. */
  #keep(piece: Uint8Array, before: number): void {
    const length = before + piece.length
    this.#checkLength(length)
    this.#length = length
    if (this.#keeping !== isStreamed && length > streamBytesMin && this.#room.length <= roomBytes) this.#openPieces(before)
    if (this.#keeping === isStreamed) return this.#pushPiece(piece)
    this.#keeping = isInRoom
    if (this.#room === emptyBytes && length <= roomBytes) this.#room = bodyRooms.take()
    if (length > this.#room.length) {
      // Never more than twice of what has come, whatever was announced.
      const grown = Buffer.allocUnsafeSlow(length + Math.min(Math.max(this.#left, piece.length), length))
      grown.set(this.#room.subarray(0, before))
      this.#giveRoom()
      this.#room = grown
    }
    this.#room.set(piece, before)
  }

  #openPieces(before: number): void {
    try {
      this.#pieces = this.#use!.open(this.head)
    } catch (error) {
      throw new TakeError(error)
    }
    if (this.#pieces === undefined) return
    this.#keeping = isStreamed
    if (before > 0) this.#pushPiece(this.#room.subarray(0, before))
    this.#giveRoom()
  }

  #pushPiece(piece: Uint8Array): void {
    try {
      this.#pieces!.push(piece)
    } catch (error) {
      throw new TakeError(error)
    }
  }

  #giveRoom(): void {
    if (this.#room.length === roomBytes) bodyRooms.give(this.#room)
    this.#room = emptyBytes
  }

  #finish(bytes: Uint8Array): void {
    if (this.#keeping === lies) this.#body = this.#length === 0 ? emptyBytes : bytes.subarray(this.#start, this.#start + this.#length)
    else if (this.#keeping === isInRoom) this.#body = this.#room.subarray(0, this.#length)
    this.#state = done
  }
}

/** Where the line feed is that an empty line follows, looked for from `from` on; -1 when it has not come. */
function findHeadEnd(bytes: Uint8Array, from: number): number {
  let at = bytes.indexOf(lineFeed, from)
  while (at >= 0 && emptyLineBytes(bytes[at + 1], bytes[at + 2]) === 0) at = bytes.indexOf(lineFeed, at + 1)
  return at
}

/** How long the empty line is that these two bytes begin, 0 if they do not. */
function emptyLineBytes(first: number | undefined, second: number | undefined): number {
  if (first === lineFeed) return 1
  return first === 13 && second === lineFeed ? 2 : 0
}
