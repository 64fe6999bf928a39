const plainSeconds = /^([+-]?)([0-9]*)\.?([0-9]*)$/

/** Seconds as OpenMetrics writes them, as whole nanoseconds: exact, but for exponent form, which goes through a double. Undefined for no number. */
export function parseTimestampNanos(text: string): bigint | undefined {
  const match = plainSeconds.exec(text)
  if (match === null) {
    const seconds = Number(text)
    return text !== '' && Number.isFinite(seconds) ? BigInt(Math.trunc(seconds * 1e9)) : undefined
  }
  const [, sign, whole, fraction] = match
  if (whole === '' && fraction === '') return undefined
  const nanos = BigInt(`0${whole!}${fraction!.slice(0, 9).padEnd(9, '0')}`)
  return sign === '-' ? -nanos : nanos
}
