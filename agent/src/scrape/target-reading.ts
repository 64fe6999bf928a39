import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { ScrapeProtocol } from '@narthex/config/scrape-config'
import { plainParser, prepareBody } from '@narthex/exposition/read-body'
import type { BodyOptions } from '@narthex/exposition/read-body'
import { BodyBuffers } from './body-buffers.ts'
import { chooseKind } from './content-type.ts'
import type { AnswerStream, AnswerTaker } from './fetch-answer-intake.ts'
import { LineWindows } from './line-windows.ts'
import type { TargetSeries } from './target-series.ts'

const emptyBytes: Uint8Array = new Uint8Array(0)
const buffers = new BodyBuffers()

/** Bodies that have to be rewritten before they are read go through here, one after the other. */
let lines = new ByteWriter(0)
const linesBytesKept = 4 * 2 ** 20

/** A target whose last answer was read in windows has the next one read so too, if it is not much smaller: the series would be sought anew. */
const windowedBytesMin = 64 * 1024

/** Reads the answers of one target into its series, as they come. */
export class TargetReading implements AnswerTaker {
  readonly #series: TargetSeries
  readonly #fallbackProtocol: ScrapeProtocol | undefined
  readonly #options: BodyOptions
  // The body that the next one is compared with.
  #body = emptyBytes
  #isClosed = false

  /** The answer has come whole, or as far as there is a fault in it: the counts of its series are those of an answer. */
  hasRead = false

  constructor(series: TargetSeries, fallbackProtocol: ScrapeProtocol | undefined, options: BodyOptions) {
    this.#series = series
    this.#fallbackProtocol = fallbackProtocol
    this.#options = options
  }

  begin(): void {
    this.hasRead = false
  }

  /** Nothing is read into the series from now on. */
  close(): void {
    this.#isClosed = true
  }

  take(contentType: string, body: Uint8Array): void {
    if (this.#isClosed) return
    const kind = body.length === 0 ? 'text' : chooseKind(contentType, this.#fallbackProtocol)
    const plain = this.#series.isWindowed && body.length >= windowedBytesMin ? plainParser(kind, this.#options) : undefined
    if (plain !== undefined) {
      this.#open()
      this.hasRead = true
      this.#series.readWindow(body, body.length, true, plain)
      this.#series.finish()
      return
    }
    const prepared = prepareBody(kind, body, this.#options, lines)
    this.hasRead = true
    const kept = copy(prepared.body)
    if (lines.bytes.length > linesBytesKept) lines = new ByteWriter(0)
    this.#series.read(kept, prepared.parser)
    // The one before is needed no more.
    buffers.give(this.#body)
    this.#body = kept
  }

  open(contentType: string): AnswerStream | undefined {
    const parser = plainParser(chooseKind(contentType, this.#fallbackProtocol), this.#options)
    if (parser === undefined) return undefined
    if (!this.#isClosed) this.#open()
    const windows = new LineWindows(this.#series, parser)
    return {
      push: (bytes) => this.#tryReading(() => windows.push(bytes)),
      end: () => {
        this.hasRead = true
        if (!this.#isClosed) windows.end()
      },
    }
  }

  #tryReading(read: () => void): void {
    if (this.#isClosed) return
    try {
      read()
    } catch (error) {
      this.hasRead = true
      throw error
    }
  }

  #open(): void {
    this.#series.open()
    buffers.give(this.#body)
    this.#body = emptyBytes
  }
}

/** The body in a buffer that is ours to keep. */
function copy(body: Uint8Array): Uint8Array {
  const { length } = body
  let buffer = buffers.take(length)
  // With room for a body that has grown a little, else none that was given back would do.
  if (buffer.length === 0) buffer = new Uint8Array(length + (length >> 6) + 64)
  buffer.set(body)
  return buffer.subarray(0, length)
}
