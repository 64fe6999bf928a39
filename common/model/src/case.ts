// Go maps each character to exactly one; JavaScript maps some to several (ß → SS) and looks at their neighbours (final sigma).

/** Go's `strings.ToUpper`. */
export function upperCase(text: string): string {
  return isAscii(text) ? text.toUpperCase() : mapCharacters(text, upperCharacter)
}

/** Go's `strings.ToLower`. */
export function lowerCase(text: string): string {
  return isAscii(text) ? text.toLowerCase() : mapCharacters(text, lowerCharacter)
}

/** Go's `strings.Title`: the first letter of each word in title case, the others as they are. */
export function titleCase(text: string): string {
  let titled = ''
  let isStart = true
  for (const character of text) {
    titled += isStart ? titleCharacter(character) : character
    isStart = isSeparator(character)
  }
  return titled
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

function mapCharacters(text: string, map: (character: string) => string): string {
  let mapped = ''
  for (const character of text) mapped += map(character)
  return mapped
}

function lowerCharacter(character: string): string {
  return character === 'İ' ? 'i' : onlyIfSingle(character.toLowerCase(), character)
}

function upperCharacter(character: string): string {
  const code = character.charCodeAt(0)
  // Greek with a small iota below: JavaScript writes the iota beside, Go takes the single capital.
  if (code >= 0x1f80 && code < 0x1fb0) return String.fromCharCode(code | 8)
  if (code === 0x1fb3 || code === 0x1fc3 || code === 0x1ff3) return String.fromCharCode(code + 9)
  return onlyIfSingle(character.toUpperCase(), character)
}

function titleCharacter(character: string): string {
  const code = character.charCodeAt(0)
  // Digraphs come in threes, DŽ Dž dž, of which the middle one is the title case; Georgian has capitals but no title case.
  if (code >= 0x1c4 && code <= 0x1cc) return String.fromCharCode(code - ((code - 0x1c4) % 3) + 1)
  if (code >= 0x1f1 && code <= 0x1f3) return 'ǲ'
  if (code >= 0x10d0 && code <= 0x10ff) return character
  return upperCharacter(character)
}

function onlyIfSingle(mapped: string, original: string): string {
  return mapped.length === 1 || mapped.length === original.length ? mapped : original
}

/** As Go's `isSeparator`: ASCII letters, digits and underscores, and letters and digits anywhere, are parts of words. */
function isSeparator(character: string): boolean {
  if (character.charCodeAt(0) < 0x80) return !/[A-Za-z0-9_]/.test(character)
  return !/[\p{L}\p{Nd}]/u.test(character) && /\s/u.test(character)
}
