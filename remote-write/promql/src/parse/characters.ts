// Classes of characters; '' stands for the end of a text.

export function isOneOf(char: string | undefined, chars: string): boolean {
  return char !== undefined && char !== '' && chars.includes(char)
}

export function isDigit(char: string): boolean {
  return char >= '0' && char <= '9' && char.length === 1
}

export function isAlpha(char: string): boolean {
  return char === '_' || (char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z')
}

export function isAlphaNumeric(char: string): boolean {
  return isAlpha(char) || isDigit(char)
}
