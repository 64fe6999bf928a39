const space = 32
const tab = 9
const lineFeed = 10

/** Longest run of digits that is exact in a double whatever the digits are. */
const exactDigits = 15

/** Walks over the lines of a kernel text file and over the blank-separated fields of a line, without making strings. */
export class ByteScanner {
  bytes: Buffer = Buffer.alloc(0)
  /** The current line without its line feed. */
  lineStart = 0
  lineEnd = 0
  /** The current field. */
  fieldStart = 0
  fieldEnd = 0
  #next = 0

  load(bytes: Buffer): void {
    this.bytes = bytes
    this.lineStart = this.lineEnd = this.fieldStart = this.fieldEnd = this.#next = 0
  }

  /** Moves to the next line and before its first field; false at the end. */
  nextLine(): boolean {
    if (this.#next >= this.bytes.length) return false
    this.lineStart = this.#next
    const found = this.bytes.indexOf(lineFeed, this.lineStart)
    this.lineEnd = found < 0 ? this.bytes.length : found
    this.#next = this.lineEnd + 1
    this.fieldStart = this.fieldEnd = this.lineStart
    return true
  }

  /** Moves to the next field of the line; false at its end. */
  nextField(): boolean {
    const { bytes, lineEnd } = this
    let offset = this.fieldEnd
    while (offset < lineEnd && (bytes[offset] === space || bytes[offset] === tab)) offset++
    this.fieldStart = offset
    while (offset < lineEnd && bytes[offset] !== space && bytes[offset] !== tab) offset++
    this.fieldEnd = offset
    return this.fieldEnd > this.fieldStart
  }

  /** Puts the position at the begin of a line: the next line starts there. */
  startAt(offset: number): void {
    this.#next = offset
  }

  /** Puts the position behind `offset`: the next field starts there. */
  moveTo(offset: number): void {
    this.fieldStart = this.fieldEnd = offset
  }

  text(start = this.fieldStart, end = this.fieldEnd): string {
    return this.bytes.toString('utf8', start, end)
  }

  fieldIs(ascii: string): boolean {
    return this.fieldEnd - this.fieldStart === ascii.length && this.fieldStartsWith(ascii)
  }

  fieldStartsWith(ascii: string): boolean {
    if (this.fieldEnd - this.fieldStart < ascii.length) return false
    for (let i = 0; i < ascii.length; i++) if (this.bytes[this.fieldStart + i] !== ascii.charCodeAt(i)) return false
    return true
  }

  /** The field as an unsigned decimal integer (64-bit ones rounded to the nearest double); NaN if it is none. */
  unsigned(): number {
    const { bytes, fieldStart, fieldEnd } = this
    const length = fieldEnd - fieldStart
    if (length === 0) return NaN
    let value = 0
    for (let offset = fieldStart; offset < fieldEnd; offset++) {
      const digit = bytes[offset]! - 48
      if (digit < 0 || digit > 9) return NaN
      value = value * 10 + digit
    }
    return length <= exactDigits ? value : Number(this.text())
  }

  /** Moves to the next field and gives it as an unsigned integer; NaN if there is none. */
  nextUnsigned(): number {
    return this.nextField() ? this.unsigned() : NaN
  }
}
