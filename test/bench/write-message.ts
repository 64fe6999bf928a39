import { putVarint, varintBytes, type EncodedSeries } from './encoded-series.ts'

/** Remote write as 1.0 `prometheus.WriteRequest` or 2.0 `io.prometheus.write.v2.Request`. */
export type WriteProtocol = 1 | 2

/** What all load makers give: the same series in every step, each step later than the one before. */
export interface WriteLoad {
  /** Requests of one step. */
  readonly requestCount: number
  /** Time of the current step. */
  readonly timeMs: number
  step(): void
  /** Bytes of request `index` of the current step, not compressed. Valid until the next call. */
  encode(index: number): Buffer
}

// What the fields around a sample take at most: two tags, two lengths, a double and a time.
const sampleBytesMax = 40

/** Writes requests with one sample for each series of a range into one buffer that is used again and again. */
export class MessageWriter {
  readonly #seriesTag: number
  #buffer = Buffer.alloc(1024 * 1024)

  constructor(protocol: WriteProtocol) {
    this.#seriesTag = protocol === 1 ? 0x0a : 0x2a
  }

  /** The message of series [first, last) behind `prefix` (the symbols of 2.0). Valid until the next call. */
  write(series: EncodedSeries, first: number, last: number, values: Float64Array, timeMs: number, prefix?: Buffer): Buffer {
    // TimeSeries{labels…, samples[2]: Sample{value[1] double, timestamp[2] int64}}
    const sampleBytes = 9 + 1 + varintBytes(timeMs)
    let at = 0
    if (prefix !== undefined) {
      this.#reserve(at, prefix.length)
      at += prefix.copy(this.#buffer, at)
    }
    for (let i = first; i < last; i++) {
      const labelBytes = series.byteLength(i)
      this.#reserve(at, labelBytes + sampleBytesMax)
      const buffer = this.#buffer
      buffer[at++] = this.#seriesTag
      at = putVarint(buffer, at, labelBytes + 2 + sampleBytes)
      at = series.copy(i, buffer, at)
      buffer[at++] = 0x12
      buffer[at++] = sampleBytes
      buffer[at++] = 0x09
      at = buffer.writeDoubleLE(values[i]!, at)
      buffer[at++] = 0x10
      at = putVarint(buffer, at, timeMs)
    }
    return this.#buffer.subarray(0, at)
  }

  #reserve(at: number, bytes: number): void {
    while (at + bytes > this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer, Buffer.alloc(this.#buffer.length)])
  }
}

/**
 * Sets the references of the series of one 2.0 request and gives its symbols: field 4 each, the first one empty.
 */
export function encodeSymbols(series: EncodedSeries, first: number, labelsOf: readonly (readonly (readonly [string, string])[])[]): Buffer {
  const symbols = new Map<string, number>([['', 0]])
  const refer = (text: string): number => {
    const known = symbols.get(text)
    if (known !== undefined) return known
    symbols.set(text, symbols.size)
    return symbols.size - 1
  }
  for (const [i, labels] of labelsOf.entries()) series.setReferences(first + i, labels.flat().map(refer))
  const parts: Buffer[] = []
  for (const text of symbols.keys()) {
    const bytes = Buffer.from(text)
    const head = Buffer.alloc(1 + varintBytes(bytes.length))
    head[0] = 0x22
    putVarint(head, 1, bytes.length)
    parts.push(head, bytes)
  }
  return Buffer.concat(parts)
}
