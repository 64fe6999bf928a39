const binaryPrefixes = 'kMGTPEZY'

/**
 * A number as bcache prints it: `1.5k` is one times 1024 and 5 / 1024 × 100 of it, since its digits behind the point count 1024ths
 * roughly divided by ten. What the original makes of it, to the last byte; NaN for a text that is none.
 */
export function parseBcacheNumber(text: string): number {
  const match = /^(-?)([0-9]+)(?:\.([0-9]+))?([A-Za-z]?)$/.exec(text)
  if (match === null) return NaN
  const [, sign, whole, fraction, prefix] = match
  // Without a prefix the kernel prints no fraction.
  const mantissa =
    prefix === '' ? Number(fraction === undefined ? whole : `${whole}.${fraction}`) : Number(whole) + Number(fraction ?? 0) / 10.24
  const value = Math.trunc(mantissa * (prefix === '' ? 1 : multiplierOf(prefix!)))
  return sign === '-' && value !== 0 ? -value : value
}

/** A number as bcachefs prints it: decimal with a binary prefix, `4.00k` or `524M`; NaN for a text that is none. */
export function parseBcachefsNumber(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?) ?([kmgtpeKMGTPE]?)$/.exec(text.trim())
  if (match === null) return NaN
  const [, digits = '', prefix = ''] = match
  const letter = prefix.toUpperCase() === 'K' ? 'k' : prefix.toUpperCase()
  return Math.trunc(Number(digits) * (letter === '' ? 1 : multiplierOf(letter)))
}

/** 1024 for k, and so on; 0 for a letter that is none, as in the original. */
function multiplierOf(prefix: string): number {
  const index = binaryPrefixes.indexOf(prefix)
  return index < 0 ? 0 : 1024 ** (index + 1)
}
