/** Whether Go's `filepath.Glob` refuses a pattern: a bracket or a range that does not end, a backslash with nothing behind it. */
export function isBadGlobPattern(pattern: string): boolean {
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] === '\\') {
      if (++at >= pattern.length) return true
      continue
    }
    if (pattern[at] !== '[') continue
    const end = findClassEnd(pattern, at)
    if (end === undefined) return true
    at = end
  }
  return false
}

/** Where the class ends that begins at a bracket; undefined if it is none. */
function findClassEnd(pattern: string, start: number): number | undefined {
  let at = start + 1
  if (pattern[at] === '^') at++
  for (let ranges = 0; ; ranges++) {
    if (pattern[at] === ']' && ranges > 0) return at
    const low = skipCharacter(pattern, at)
    if (low === undefined) return undefined
    at = low
    if (pattern[at] !== '-') continue
    const high = skipCharacter(pattern, at + 1)
    if (high === undefined) return undefined
    at = high
  }
}

/** The place behind one character of a class, which may be escaped. */
function skipCharacter(pattern: string, at: number): number | undefined {
  const character = pattern[at]
  if (character === undefined || character === '-' || character === ']') return undefined
  const end = at + (character === '\\' ? 2 : 1)
  return end <= pattern.length ? end : undefined
}
