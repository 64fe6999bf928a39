import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { formatFloat } from '@narthex/model/number'

/** Whole numbers up to here, and those with three decimals or fewer up to a thousandth of it, have at most 15 digits. */
const wholeMax = 1e15
const point = 46
const minus = 45

/**
 * Writes what `formatFloat` gives. Most values are whole or have few decimals: a decimal number of at most 15 digits that reads back as the value is the
 * shortest one, and its digits are had without a search.
 */
export function writeFloat(writer: ByteWriter, value: number): void {
  const magnitude = Math.abs(value)
  if (magnitude < wholeMax && magnitude === Math.floor(magnitude) && (value !== 0 || 1 / value > 0)) {
    if (value < 0) writer.u8(minus)
    writer.digits(magnitude)
    return
  }
  if (magnitude < wholeMax / 1000 && magnitude >= 0.001) {
    const thousandths = Math.round(magnitude * 1000)
    if (thousandths / 1000 === magnitude) {
      if (value < 0) writer.u8(minus)
      const whole = Math.floor(thousandths / 1000)
      const decimals = thousandths - whole * 1000
      writer.digits(whole)
      writer.reserve(4)
      const { bytes, length } = writer
      const first = Math.floor(decimals / 100)
      const second = Math.floor(decimals / 10) - first * 10
      const third = decimals - first * 100 - second * 10
      bytes[length] = point
      bytes[length + 1] = 48 + first
      bytes[length + 2] = 48 + second
      bytes[length + 3] = 48 + third
      writer.length = length + (third !== 0 ? 4 : second !== 0 ? 3 : 2)
      return
    }
  }
  writer.ascii(formatFloat(value))
}
