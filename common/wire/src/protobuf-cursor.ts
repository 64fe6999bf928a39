/** Thrown for bytes that are not a well-formed message; the text says where and why. */
export class WireError extends Error {
  override name = 'WireError'
}

const groupDepthMax = 16

/**
 * Walks protobuf fields without creating objects. `at` is the next byte, `end` the first byte that does not belong to the
 * message; nothing is read at or past `end`. Every method throws `WireError` for malformed bytes.
 */
export class ProtobufCursor {
  bytes: Uint8Array = new Uint8Array(0)
  at = 0
  end = 0

  reset(bytes: Uint8Array, start: number, end: number): void {
    if (start < 0 || start > end || end > bytes.length) {
      throw new RangeError(`cannot read message: want a range inside ${bytes.length} bytes, got ${start}..${end}`)
    }
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  /** An unsigned varint; exact up to 2^53, rounded above; more than 64 bits are refused. */
  varint(): number {
    const first = this.at < this.end ? this.bytes[this.at]! : 0x80
    if (first < 0x80) {
      this.at++
      return first
    }
    const low = this.#low28()
    if (low >= 0) return low
    return this.#rest(-low - 1)
  }

  /** A varint that carries a two's complement int64; exact between ±2^53. */
  int64(): number {
    const start = this.at
    const value = this.varint()
    return this.at - start === 10 && this.bytes[this.at - 1] === 1 ? this.#negative() : value
  }

  /** The length of a length-delimited field; the field lies inside the message. Returns the field's end, `at` is its start. */
  fieldEnd(): number {
    const length = this.varint()
    const end = this.at + length
    if (end > this.end) throw new WireError(`cannot read field at byte ${this.at}: want ${length} bytes, got ${this.end - this.at}`)
    return end
  }

  /** Steps over the value of a field that nobody asked for. */
  skip(tag: number): void {
    this.#skip(tag, 0)
  }

  /** Refuses a known field that comes with another wire type than the format says. */
  expectWireType(tag: number, wireType: number): void {
    if ((tag & 7) !== wireType) {
      throw new WireError(`cannot read field ${Math.floor(tag / 8)} at byte ${this.at}: want wire type ${wireType}, got ${tag & 7}`)
    }
  }

  /** A field tag: number × 8 + wire type; field number 0 is refused. */
  tag(): number {
    const tag = this.varint()
    if (tag < 8 || tag > 0xffffffff) throw new WireError(`cannot read tag before byte ${this.at}: got ${tag}`)
    return tag
  }

  /** Walks all fields of the rest of the message, so that a caller knows that it is well-formed. */
  skipAll(): void {
    while (this.at < this.end) this.skip(this.tag())
  }

  /** Four groups of seven bits; negative = -(value) - 1 when more follow. */
  #low28(): number {
    const { bytes, end } = this
    let at = this.at
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      if (at >= end) throw new WireError(`cannot read varint at byte ${this.at}: the message ends inside it`)
      const byte = bytes[at++]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.at = at
        return value
      }
    }
    this.at = at
    return -value - 1
  }

  #rest(low: number): number {
    const { bytes, end } = this
    let at = this.at
    let value = low
    let unit = 2 ** 28
    for (let group = 4; group < 10; group++, unit *= 128) {
      if (at >= end) throw new WireError(`cannot read varint at byte ${this.at}: the message ends inside it`)
      const byte = bytes[at++]!
      if (group === 9 && byte > 1) break
      value += (byte & 0x7f) * unit
      if (byte < 0x80) {
        this.at = at
        return value
      }
    }
    throw new WireError(`cannot read varint before byte ${at}: more than 64 bits`)
  }

  /** The ten bytes just read, as a negative number: complement, so that small magnitudes stay exact. */
  #negative(): number {
    const { bytes } = this
    let magnitude = 1
    let unit = 1
    for (let i = this.at - 10; i < this.at; i++, unit *= 128) {
      magnitude += ((i === this.at - 1 ? 0x01 : 0x7f) & ~bytes[i]!) * unit
    }
    return -magnitude
  }

  #skip(tag: number, depth: number): void {
    switch (tag & 7) {
      case 0:
        this.varint()
        return
      case 1:
        this.#step(8)
        return
      case 2:
        this.at = this.fieldEnd()
        return
      case 3:
        this.#skipGroup(tag, depth + 1)
        return
      case 5:
        this.#step(4)
        return
      default:
        throw new WireError(`cannot skip field ${Math.floor(tag / 8)} before byte ${this.at}: wire type ${tag & 7}`)
    }
  }

  #skipGroup(tag: number, depth: number): void {
    if (depth > groupDepthMax) throw new WireError(`cannot skip group at byte ${this.at}: more than ${groupDepthMax} levels`)
    for (;;) {
      const inner = this.tag()
      if ((inner & 7) !== 4) this.#skip(inner, depth)
      else if (inner === tag + 1) return
      else throw new WireError(`cannot skip group before byte ${this.at}: another group's end`)
    }
  }

  #step(count: number): void {
    if (this.at + count > this.end) {
      throw new WireError(`cannot read field at byte ${this.at}: want ${count} bytes, got ${this.end - this.at}`)
    }
    this.at += count
  }
}
