const powers = ['', 'K', 'M', 'G', 'T', 'P', 'E']

/** Reads `10MB`, `1GiB`, `1GB512MB`, `-1GB`, `0` (units of 1024). Throws with the texts of the Go package that Prometheus uses. */
export function parseByteSize(text: string): number {
  if (text === '0') return 0
  const whole = /^([-+]?)(.*)$/s.exec(text)!
  const part = /([0-9]*(?:\.[0-9]*)?)([^0-9.]*)/y
  const rest = whole[2]!
  if (rest === '') throw new Error(`units: invalid ${text}`)
  let total = 0
  while (part.lastIndex < rest.length) {
    const [, digits, unit] = part.exec(rest)!
    if (digits === '' || digits === '.') throw new Error(`units: invalid ${text}`)
    const match = /^([KMGTPE]?)(i?)B$/.exec(unit!)
    if (match === null || (match[1] === '' && match[2] !== '')) throw new Error(`units: unknown unit ${unit} in ${text}`)
    total += Number(digits) * 1024 ** powers.indexOf(match[1]!)
  }
  const value = Math.trunc(total)
  return whole[1] === '-' ? -value : value
}

/** Prints as that package does: `15MiB`, `1GiB512MiB`. */
export function formatByteSize(bytes: number): string {
  if (bytes === 0) return '0B'
  let rest = Math.abs(bytes)
  let text = bytes < 0 ? '-' : ''
  for (let power = powers.length - 1; power >= 0; power--) {
    const size = 1024 ** power
    const count = Math.floor(rest / size)
    if (count === 0) continue
    text += `${count}${power === 0 ? 'B' : `${powers[power]}iB`}`
    rest -= count * size
  }
  return text
}
