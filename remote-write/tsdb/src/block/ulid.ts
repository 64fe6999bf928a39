import { randomFillSync } from 'node:crypto'

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
export const ulidLength = 26
const timeLength = 10
const timeMsMax = 2 ** 48 - 1

// 26 digits of 5 bits are 130 bits, an identifier has 128: the first digit is at most 7. As in Prometheus, small letters are read too.
const ulidPattern = /^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$/

/** A new identifier: ┌ time in ms 48 bits ┬ random 80 bits ┐ as 26 digits of Crockford's base 32. */
export function makeUlid(timeMs: number, random: Uint8Array = randomFillSync(new Uint8Array(ulidLength - timeLength))): string {
  if (!(timeMs >= 0 && timeMs <= timeMsMax)) throw new RangeError(`cannot make ULID: want a time in [0, ${timeMsMax}] ms, got ${timeMs}`)
  let text = ''
  let rest = Math.floor(timeMs)
  for (let i = 0; i < timeLength; i++) {
    text = alphabet[rest % 32]! + text
    rest = Math.floor(rest / 32)
  }
  for (let i = 0; i < ulidLength - timeLength; i++) text += alphabet[random[i]! & 31]!
  return text
}

/** Whether Prometheus takes a directory of this name for a block. */
export function isUlid(text: string): boolean {
  return ulidPattern.test(text)
}
