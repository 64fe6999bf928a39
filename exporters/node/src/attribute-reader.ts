import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { closeSync, openSync, readdirSync, readSync } from 'node:fs'

/** An attribute in /sys is at most one page, and one read gives the whole of it. */
const attributeBytesMax = 4096

/**
 * Reads attributes in /sys: small files of one value each. Half the system calls of `FileReader`, which has to look for the end. Only for
 * attributes that the kernel answers from memory; those that ask hardware are `HardwareReader`'s.
 */
export class AttributeReader {
  readonly #bytes = Buffer.allocUnsafeSlow(attributeBytesMax)
  #start = 0
  #end = 0

  /** The text without blanks and line ends around it; undefined for a file that is not there or gives an error. Bytes that are no UTF-8 become U+FFFD. */
  text(path: string): string | undefined {
    return this.#read(path) ? this.#bytes.toString('utf8', this.#start, this.#end) : undefined
  }

  /** The value as a signed integer, decimal or `0x…`; NaN if the file is not there, gives an error, or holds something else. */
  integer(path: string): number {
    return this.#read(path) ? parseInteger(this.#bytes, this.#start, this.#end) : NaN
  }

  #read(path: string): boolean {
    let length: number
    try {
      const descriptor = openSync(path, 'r')
      try {
        length = readSync(descriptor, this.#bytes, 0, attributeBytesMax, null)
      } finally {
        closeSync(descriptor)
      }
    } catch (error) {
      if (systemErrorCode(error) === undefined) throw error
      return false
    }
    this.#start = 0
    while (this.#start < length && isBlank(this.#bytes[this.#start]!)) this.#start++
    this.#end = length
    while (this.#end > this.#start && isBlank(this.#bytes[this.#end - 1]!)) this.#end--
    return true
  }
}

/** Names in a directory, sorted; none if it is not there or may not be read. */
export function listSorted(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error
    return []
  }
}

/** A signed integer in decimal or, with 0x, hexadecimal; NaN for anything else. Beyond 53 bits rounded to the nearest double. */
export function parseInteger(bytes: Uint8Array, start: number, end: number): number {
  const isNegative = bytes[start] === 45
  let offset = isNegative || bytes[start] === 43 ? start + 1 : start
  const isHexadecimal = bytes[offset] === 48 && (bytes[offset + 1]! | 32) === 120
  if (isHexadecimal) offset += 2
  if (offset >= end) return NaN
  const digits = offset
  let value = 0
  for (; offset < end; offset++) {
    const digit = isHexadecimal ? hexadecimalDigit(bytes[offset]!) : bytes[offset]! - 48
    if (digit < 0 || (!isHexadecimal && digit > 9)) return NaN
    value = value * (isHexadecimal ? 16 : 10) + digit
  }
  // Rounded in every step, a long number may end beside the nearest double.
  if (value >= 2 ** 53) value = Number((isHexadecimal ? '0x' : '') + String.fromCharCode(...bytes.subarray(digits, end)))
  return isNegative ? -value : value
}

/** Value of a hexadecimal digit by its code; -1 if it is none. */
export function hexadecimalDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const letter = code | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}

function isBlank(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13) || code === 0
}
