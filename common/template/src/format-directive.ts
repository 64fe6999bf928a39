/** What stands between a `%` and its verb. */
export interface Flags {
  plus: boolean
  minus: boolean
  space: boolean
  sharp: boolean
  zero: boolean
}

export interface Directive extends Flags {
  width: number | undefined
  precision: number | undefined
  /** Whether structs print their fields' names. */
  named?: boolean
}

/** To the width in characters: spaces before, with `-` behind, with `0` zeros before. */
export function pad(text: string, { width, minus, zero }: Directive): string {
  if (width === undefined) return text
  const missing = width - [...text].length
  if (missing <= 0) return text
  return minus ? text + ' '.repeat(missing) : (zero ? '0' : ' ').repeat(missing) + text
}
