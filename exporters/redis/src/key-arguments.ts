/** One pattern or key of `check-keys` and its siblings. */
export interface KeyArgument {
  readonly database: number
  readonly pattern: string
}

/**
 * Reads `db0=foo*,db1=bar,baz`: without `db…=` the database is 0, keys may be URL-encoded (`%2C` for a comma). Throws one line that names
 * `flag`.
 */
export function parseKeyArguments(flag: string, list: string): readonly KeyArgument[] {
  const found: KeyArgument[] = []
  for (const item of list.split(',')) {
    if (item.trim() === '') continue
    const parts = item.split('=')
    if (parts.length > 2) throw wrong(flag, 'key or dbN=key', item)
    const [database = '', pattern = ''] = parts.length === 2 ? parts.map((part) => part.trim()) : ['0', item.trim()]
    const number = database.replace(/^db/, '')
    if (number === '' || pattern === '') continue
    if (!/^[0-9]{1,9}$/.test(number)) throw wrong(flag, 'a database number before =', database)
    found.push({ database: Number(number), pattern: decodePattern(flag, pattern) })
  }
  return found
}

/** True for a pattern that only SCAN can answer. */
export function isGlob(pattern: string): boolean {
  return /[?*[\]^]/.test(pattern)
}

function decodePattern(flag: string, text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw wrong(flag, 'a URL-encoded key', text)
  }
}

function wrong(flag: string, want: string, got: string): Error {
  return new Error(`cannot parse ${flag}: want ${want}, got ${JSON.stringify(got.trim())}`)
}
