/** Characters that mean something else than themselves, or may. */
const special = '*+?[]{}^$|().\\'

/**
 * The character that stands for itself at `at`: an ordinary one, or escaped ASCII punctuation. Undefined for everything that means
 * more (`\d`, `\x41`, `\pL`, brackets, anchors).
 */
export function unescapedLiteral(pattern: string, at: number): { text: string; sourceLength: number } | undefined {
  const character = pattern[at]!
  if (character === '\\') {
    const escaped = pattern[at + 1]
    return escaped !== undefined && /^[!-/:-@[-`{-~]$/.test(escaped) ? { text: escaped, sourceLength: 2 } : undefined
  }
  if (special.includes(character)) return undefined
  const text = String.fromCodePoint(pattern.codePointAt(at)!)
  return { text, sourceLength: text.length }
}

/** UTF-16 units of the character at `at`, 1 at the end. */
export function characterLength(value: string, at: number): number {
  return isHigh(value.charCodeAt(at)) && isLow(value.charCodeAt(at + 1)) ? 2 : 1
}

export function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}

export function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
}
