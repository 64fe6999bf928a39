const escapes: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
}

/** JSON as Go's encoder writes it: characters that could end a script element are escaped; lone surrogates become U+FFFD. */
export function stringifyAsGo(value: unknown): string {
  const text = JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'string' ? inner.toWellFormed() : inner))
  return text.replaceAll(/[<>&\u2028\u2029]/g, (character) => escapes[character]!)
}
