import type { PieceTaker } from '@narthex/http/direct-client/answer-reader'
import { ScrapeError } from './scrape-error.ts'
import { pieceBytes, pieceUnpackers, wholeBytesMax } from './unpack-pieces.ts'
import type { Packing, PieceUnpacker, PieceUnpackers } from './unpack-pieces.ts'
import { unpackWhole } from './unpack-whole.ts'
import { UnpackedTooLargeError } from './unpacked-too-large.ts'

/** Bound of one answer, unpacked, when the job sets none: what is larger is not a list of metrics. */
export const answerBytesMax = 512 * 2 ** 20

/** Who reads an answer. What its methods throw fails the scrape as it is. */
export interface AnswerTaker {
  /** A whole answer, unpacked. The bytes are valid until it returns. */
  take(contentType: string, body: Uint8Array): void
  /** A large answer: undefined when it has to be collected and given to `take`. Called once, before the first piece. */
  open(contentType: string): AnswerStream | undefined
}

export interface AnswerStream {
  /** The next unpacked bytes, cut anywhere; valid until it returns. */
  push(bytes: Uint8Array): void
  /** Called once, after the last piece, when the answer has come whole. */
  end(): void
}

/**
 * Takes the bodies of one target as they are sent and gives them to an AnswerTaker unpacked, within the limit of their size. Unpacking is
 * synchronous on purpose: a hop to the thread pool costs more than unpacking 50 KB.
 */
export class AnswerIntake {
  /** Longest body that is accepted. */
  readonly #bytesMax: number
  readonly #unpackers: PieceUnpackers
  #taker: AnswerTaker | undefined
  #stream: BodyStream | undefined
  #bytes = 0
  #isCancelled = false

  /** An unpacked body of `bodySizeLimitBytes` or more is refused; 0 = no limit but `answerBytesMax`. */
  constructor(bodySizeLimitBytes: number, unpackers: PieceUnpackers = pieceUnpackers) {
    this.#bytesMax = bodySizeLimitBytes > 0 ? bodySizeLimitBytes - 1 : answerBytesMax
    this.#unpackers = unpackers
  }

  /** Unpacked ones of the answer that was taken. */
  get bytes(): number {
    return this.#bytes
  }

  begin(taker: AnswerTaker): void {
    this.#taker = taker
    this.#bytes = 0
    this.#isCancelled = false
  }

  /** The taker is not called any more, even if it is just now. */
  cancel(): void {
    this.#isCancelled = true
    this.#stream?.close()
  }

  /** The answer is over, taken or not. */
  close(): void {
    this.#stream?.close()
    this.#stream = undefined
    this.#taker = undefined
  }

  /** For a large body: takes it as it comes, until `end`. Undefined when it has to be collected for `take`. */
  open(contentType: string, contentEncoding: string): PieceTaker | undefined {
    const packing = readPacking(contentEncoding)
    const unpacker = packing === undefined ? undefined : this.#unpackers.open(packing)
    if (packing !== undefined && unpacker === undefined) return undefined
    try {
      this.#stream = this.#openStream(contentType, unpacker)
    } finally {
      if (this.#stream === undefined && unpacker !== undefined) this.#unpackers.give(unpacker)
    }
    return this.#stream
  }

  /** The body that went to what `open` gave is whole. */
  end(): void {
    this.#checkCancelled()
    this.#bytes = this.#stream!.end()
  }

  /** A whole body as it was sent; it may be overwritten when this returns. */
  take(contentType: string, contentEncoding: string, body: Uint8Array): void {
    const packing = readPacking(contentEncoding)
    if (packing === undefined) return this.takeUnpacked(contentType, body)
    const unpacker = this.#unpackers.open(packing)
    if (unpacker === undefined) return this.takeUnpacked(contentType, this.#unpackWhole(packing, body))
    try {
      this.#takePacked(contentType, unpacker, body)
    } finally {
      // A stream gives it back itself.
      if (this.#stream === undefined) this.#unpackers.give(unpacker)
    }
  }

  takeUnpacked(contentType: string, body: Uint8Array): void {
    this.#checkCancelled()
    if (body.length > this.#bytesMax) throw bodyTooLarge()
    this.#bytes = body.length
    this.#taker!.take(contentType, body)
  }

  #takePacked(contentType: string, unpacker: PieceUnpacker, packed: Uint8Array): void {
    const bytesMax = Math.min(wholeBytesMax, this.#bytesMax)
    const first = wordFailure(unpacker.packing, () => {
      unpacker.feed(packed)
      // One more than fits: so it is known that there is more.
      const piece = unpacker.next(bytesMax + 1)
      if (piece.length <= bytesMax) unpacker.end()
      return piece
    })
    if (first.length <= bytesMax) return this.takeUnpacked(contentType, first)
    if (first.length > this.#bytesMax) throw bodyTooLarge()
    this.#stream = this.#openStream(contentType, unpacker)
    if (this.#stream === undefined) return this.takeUnpacked(contentType, this.#unpackWhole(unpacker.packing, packed))
    this.#stream.goOn(first)
    this.end()
  }

  #checkCancelled(): void {
    if (this.#isCancelled) throw new Error('context canceled')
  }

  #openStream(contentType: string, unpacker: PieceUnpacker | undefined): BodyStream | undefined {
    this.#checkCancelled()
    const stream = this.#taker!.open(contentType)
    return stream === undefined ? undefined : new BodyStream(stream, unpacker, this.#unpackers, this.#bytesMax)
  }

  #unpackWhole(packing: Packing, packed: Uint8Array): Uint8Array {
    return wordFailure(packing, () => unpackWhole(packing, packed, this.#bytesMax))
  }
}

/** Unpacks a body that comes in pieces. */
class BodyStream implements PieceTaker {
  readonly #stream: AnswerStream
  readonly #unpackers: PieceUnpackers
  readonly #bytesMax: number
  #unpacker: PieceUnpacker | undefined
  #bytes = 0
  #isClosed = false

  constructor(stream: AnswerStream, unpacker: PieceUnpacker | undefined, unpackers: PieceUnpackers, bytesMax: number) {
    this.#stream = stream
    this.#unpacker = unpacker
    this.#unpackers = unpackers
    this.#bytesMax = bytesMax
  }

  push(packed: Uint8Array): void {
    if (this.#isClosed) return
    const unpacker = this.#unpacker
    if (unpacker === undefined) return this.#give(packed)
    unpacker.feed(packed)
    this.#unpack(unpacker)
  }

  /** With an unpacker that has begun, whose first piece this is. */
  goOn(first: Uint8Array): void {
    const unpacker = this.#unpacker!
    this.#give(first)
    this.#unpack(unpacker)
  }

  /** Returns how many bytes went to the stream. */
  end(): number {
    const unpacker = this.#unpacker
    if (unpacker !== undefined) wordFailure(unpacker.packing, () => unpacker.end())
    this.#stream.end()
    return this.#bytes
  }

  /** Also from within the stream's `push`. */
  close(): void {
    this.#isClosed = true
    if (this.#unpacker !== undefined) this.#unpackers.give(this.#unpacker)
    this.#unpacker = undefined
  }

  #unpack(unpacker: PieceUnpacker): void {
    while (!this.#isClosed) {
      const piece = wordFailure(unpacker.packing, () => unpacker.next(pieceBytes))
      if (piece.length > 0) this.#give(piece)
      if (piece.length < pieceBytes) return
    }
  }

  #give(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    if (this.#bytes > this.#bytesMax) throw bodyTooLarge()
    this.#stream.push(bytes)
  }
}

/** undefined when the body is as it is. */
function readPacking(encoding: string): Packing | undefined {
  if (encoding === '') return undefined
  if (encoding === 'gzip' || encoding === 'zstd') return encoding
  const text = encoding.trim().toLowerCase()
  if (text === 'gzip' || text === 'zstd') return text
  if (text === '' || text === 'identity') return undefined
  throw new ScrapeError('http', `cannot read answer: want content encoding gzip or zstd, got ${JSON.stringify(text)}`)
}

function wordFailure<T>(packing: Packing, unpack: () => T): T {
  try {
    return unpack()
  } catch (error) {
    if (error instanceof UnpackedTooLargeError) throw bodyTooLarge(error)
    const reason = error instanceof Error ? error.message : String(error)
    throw new ScrapeError('http', `cannot unpack ${packing} answer: ${reason}`, { cause: error })
  }
}

export function bodyTooLarge(cause?: unknown): ScrapeError {
  return new ScrapeError('body-size-limit', 'body size limit exceeded', { cause })
}
