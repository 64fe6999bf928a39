/**
 * Label fields of many series as bytes of a remote-write message, one after the other in one slab: no object per series. A series that is
 * set again takes new room.
 */
export class EncodedSeries {
  #bytes: Buffer = Buffer.allocUnsafe(1024 * 1024)
  #used = 0
  readonly #starts: Float64Array
  readonly #lengths: Uint32Array

  constructor(seriesCount: number) {
    this.#starts = new Float64Array(seriesCount)
    this.#lengths = new Uint32Array(seriesCount)
  }

  /** Labels of 1.0: `Label{name[1], value[2]}` as field 1 each, sorted by name. */
  setLabels(series: number, labels: readonly (readonly [name: string, value: string])[]): void {
    this.#begin(
      series,
      labels.reduce((total, [name, value]) => total + Buffer.byteLength(name) + Buffer.byteLength(value) + 20, 0),
    )
    for (const [name, value] of labels) {
      const nameBytes = Buffer.byteLength(name)
      const valueBytes = Buffer.byteLength(value)
      this.#bytes[this.#used++] = 0x0a
      this.#varint(2 + varintBytes(nameBytes) + nameBytes + varintBytes(valueBytes) + valueBytes)
      this.#text(0x0a, name, nameBytes)
      this.#text(0x12, value, valueBytes)
    }
    this.#lengths[series] = this.#used - this.#starts[series]!
  }

  /** Labels of 2.0: packed references to symbols, field 1. */
  setReferences(series: number, references: readonly number[]): void {
    this.#begin(series, references.length * 5 + 10)
    this.#bytes[this.#used++] = 0x0a
    this.#varint(references.reduce((total, reference) => total + varintBytes(reference), 0))
    for (const reference of references) this.#varint(reference)
    this.#lengths[series] = this.#used - this.#starts[series]!
  }

  byteLength(series: number): number {
    return this.#lengths[series]!
  }

  /** Writes the fields of a series and gives the offset behind them. */
  copy(series: number, target: Buffer, at: number): number {
    const start = this.#starts[series]!
    return at + this.#bytes.copy(target, at, start, start + this.#lengths[series]!)
  }

  #begin(series: number, bytesMax: number): void {
    if (this.#used + bytesMax > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(this.#bytes.length * 2)
      this.#bytes.copy(larger, 0, 0, this.#used)
      this.#bytes = larger
    }
    this.#starts[series] = this.#used
  }

  #text(tag: number, text: string, bytes: number): void {
    this.#bytes[this.#used++] = tag
    this.#varint(bytes)
    this.#used += this.#bytes.write(text, this.#used)
  }

  #varint(value: number): void {
    this.#used = putVarint(this.#bytes, this.#used, value)
  }
}

export function varintBytes(value: number): number {
  let bytes = 1
  while (value >= 128) {
    value = Math.floor(value / 128)
    bytes++
  }
  return bytes
}

/** Gives the offset behind the varint. */
export function putVarint(bytes: Buffer, at: number, value: number): number {
  while (value >= 128) {
    bytes[at++] = (value % 128) | 128
    value = Math.floor(value / 128)
  }
  bytes[at++] = value
  return at
}
