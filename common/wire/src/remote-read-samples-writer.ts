import { ByteWriter } from '@narthex/bytes/byte-writer'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import type { SampleColumns } from '@narthex/model/sample-columns'
import { putHistogram, putStaleHistogram } from './histogram-message.ts'
import { putLabelFields } from './label-fields.ts'
import { putInt64, SampleField, sampleFieldBytesMax } from './sample-field.ts'
import { literalHeadBytesMax, putLiteralHead } from './snappy-elements.ts'
import { compress } from './snappy.ts'

/** Bytes that are compressed at a time. */
const pieceBytes = 1024 * 1024
/** What the head of a snappy block can say. */
const blockBytesMax = 0xffffffff

/** Histograms of a series, in the order of their times. */
export interface ReadHistograms {
  readonly length: number
  /** Milliseconds since 1970. */
  readonly times: ArrayLike<number>
  /** Such a one has no buckets. */
  isStale(i: number): boolean
  histogram(i: number): NativeHistogram
}

/** An answer became larger than it may be. */
export class ReadResponseTooLargeError extends Error {
  override name = 'ReadResponseTooLargeError'
}

/**
 * Writes a `prometheus.ReadResponse` as one snappy block (FORMAT.md, "Remote read"): query by query, series by series. It is compressed piece by
 * piece, since the elements of several blocks behind one another are those of one block; so of a large answer only the compressed bytes are in memory.
 */
export class ReadResponseWriter {
  readonly #bytesMax: number
  readonly #sample = new SampleField()
  readonly #series = new ByteWriter()
  readonly #histogram = new ByteWriter()
  readonly #out = new ByteWriter(pieceBytes)
  readonly #pieces: Uint8Array[] = []
  #queryPieces: Uint8Array[] = []
  #queryBytes = 0
  #bytes = 0
  #compressedBytes = 0

  /** `bytesMax` bounds the compressed answer. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes of the buffers that this answer takes. */
  get heldBytes(): number {
    return this.#compressedBytes + this.#out.bytes.length + this.#series.bytes.length + this.#histogram.bytes.length
  }

  /** Appends a series to the answer of the query that is being written; name, value, … sorted. Throws ReadResponseTooLargeError. */
  addSeries(labels: readonly string[], samples: SampleColumns, histograms?: ReadHistograms): void {
    const series = this.#series
    series.reset()
    putLabelFields(series, labels)
    this.#putSamples(series, samples)
    if (histograms !== undefined) this.#putHistograms(series, histograms)
    const out = this.#out
    out.u8(0x0a)
    out.uvarint(series.length)
    out.raw(series.bytes, 0, series.length)
    if (out.length >= pieceBytes) this.#flush()
  }

  /** Ends the answer of one query; the next series belong to the next query. */
  endQuery(): void {
    this.#flush()
    const head = new ByteWriter(16)
    head.u8(0x0a)
    head.uvarint(this.#queryBytes)
    // The field's head is known only now, and stands before what is compressed already.
    this.#pieces.push(makeLiteral(head.view()), ...this.#queryPieces)
    this.#bytes += head.length + this.#queryBytes
    this.#queryPieces = []
    this.#queryBytes = 0
  }

  /** The whole block in pieces, one behind the other; they are the caller's. */
  finish(): Uint8Array[] {
    if (this.#bytes > blockBytesMax) throw tooLarge(blockBytesMax)
    const head = new ByteWriter(16)
    head.uvarint(this.#bytes)
    return [head.view().slice(), ...this.#pieces]
  }

  #putSamples(out: ByteWriter, { times, words, length }: SampleColumns): void {
    const field = this.#sample
    out.reserve(length * sampleFieldBytesMax)
    const { bytes } = out
    let at = out.length
    for (let i = 0; i < length; i++) {
      field.setTime(times[i]!)
      at = field.put(bytes, at, words[2 * i]!, words[2 * i + 1]!)
    }
    out.length = at
  }

  #putHistograms(out: ByteWriter, histograms: ReadHistograms): void {
    const message = this.#histogram
    for (let i = 0; i < histograms.length; i++) {
      message.reset()
      const histogram = histograms.histogram(i)
      if (histograms.isStale(i)) putStaleHistogram(message, histogram.isFloat)
      else putHistogram(message, histogram)
      message.u8(0x78)
      message.reserve(10)
      message.length = putInt64(message.bytes, message.length, histograms.times[i]!)
      out.u8(0x22)
      out.uvarint(message.length)
      out.raw(message.bytes, 0, message.length)
    }
  }

  #flush(): void {
    const out = this.#out
    for (let start = 0; start < out.length; start += pieceBytes) {
      const piece = withoutHead(compress(out.bytes, start, Math.min(out.length, start + pieceBytes)))
      this.#queryPieces.push(piece)
      this.#compressedBytes += piece.length
      if (this.#compressedBytes > this.#bytesMax) throw tooLarge(this.#bytesMax)
    }
    this.#queryBytes += out.length
    out.reset()
  }
}

function tooLarge(bytesMax: number): ReadResponseTooLargeError {
  return new ReadResponseTooLargeError(
    `cannot answer remote read: want at most ${bytesMax} bytes, got more; ask for streamed chunks or less time`,
  )
}

/** The elements of a block. */
function withoutHead(block: Uint8Array): Uint8Array {
  let at = 0
  while (block[at++]! >= 0x80);
  return block.subarray(at)
}

function makeLiteral(bytes: Uint8Array): Uint8Array {
  const element = new Uint8Array(literalHeadBytesMax + bytes.length)
  const at = putLiteralHead(element, 0, bytes.length)
  element.set(bytes, at)
  return element.subarray(0, at + bytes.length)
}
