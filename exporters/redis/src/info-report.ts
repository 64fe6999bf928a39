/** Goes through the lines of INFO and its relatives: `# Section` and `field:value`. */
export class InfoReport {
  readonly #lines: readonly string[]
  #next = 0
  /** Of the last heading, `Commandstats`; empty before the first one. */
  section = ''
  field = ''
  value = ''

  constructor(text: string) {
    this.#lines = text.split('\n')
  }

  /** Moves to the next field; false at the end. Lines that are neither heading nor field are skipped. */
  nextField(): boolean {
    while (this.#next < this.#lines.length) {
      const line = this.#lines[this.#next++]!.trim()
      if (line.startsWith('# ')) {
        this.section = line.slice(2)
        continue
      }
      const colon = line.indexOf(':')
      if (colon < 1) continue
      this.field = line.slice(0, colon)
      this.value = line.slice(colon + 1)
      return true
    }
    return false
  }
}

/** `calls=21,usec=175` as a map; parts without `=` are left out. */
export function readPairs(text: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  for (const part of text.split(',')) {
    const equals = part.indexOf('=')
    if (equals > 0) pairs.set(part.slice(0, equals), part.slice(equals + 1))
  }
  return pairs
}
