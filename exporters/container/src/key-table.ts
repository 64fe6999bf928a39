import type { ByteScanner } from '@narthex/exporter-kit/byte-scanner'

/** Finds the column of a key in `key value` files without making strings. */
export class KeyTable {
  readonly #keys: readonly string[]
  readonly #columns: readonly number[]
  /** Indices into the above by length, first and last byte. */
  readonly #byShape = new Map<number, number[]>()

  constructor(columns: Readonly<Record<string, number>>) {
    this.#keys = Object.keys(columns)
    this.#columns = Object.values(columns)
    this.#keys.forEach((key, index) => {
      const shape = shapeOf(key.length, key.charCodeAt(0), key.charCodeAt(key.length - 1))
      this.#byShape.set(shape, [...(this.#byShape.get(shape) ?? []), index])
    })
  }

  /** The column of the scanner's current field, or -1. */
  find(scanner: ByteScanner): number {
    const { bytes, fieldStart, fieldEnd } = scanner
    const indices = this.#byShape.get(shapeOf(fieldEnd - fieldStart, bytes[fieldStart]!, bytes[fieldEnd - 1]!))
    if (indices === undefined) return -1
    for (const index of indices) if (scanner.fieldIs(this.#keys[index]!)) return this.#columns[index]!
    return -1
  }

  /** Puts the numbers of all known keys into `values`; fields are separated by blanks. */
  readInto(scanner: ByteScanner, values: Float64Array): void {
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      const column = this.find(scanner)
      if (column < 0) continue
      const value = scanner.nextUnsigned()
      if (!Number.isNaN(value)) values[column] = value
    }
  }
}

function shapeOf(length: number, first: number, last: number): number {
  return (length << 16) | (first << 8) | last
}
