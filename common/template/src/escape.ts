const htmlEscapes: Readonly<Record<string, string>> = { '"': '&#34;', "'": '&#39;', '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/** Go's `template.HTMLEscapeString`. */
export function escapeHtml(text: string): string {
  return text.replace(/["'&<>]/g, (character) => htmlEscapes[character]!).replaceAll('\0', '\ufffd')
}

const scriptEscapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
}

/** Go's `template.JSEscapeString`. */
export function escapeScript(text: string): string {
  let escaped = ''
  for (const character of text) {
    const named = scriptEscapes[character]
    const code = character.codePointAt(0)!
    if (named !== undefined) escaped += named
    else if (code < 0x20) escaped += '\\u' + code.toString(16).toUpperCase().padStart(4, '0')
    else if (code < 0x80 || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character)) escaped += character
    else escaped += '\\u' + code.toString(16).toUpperCase().padStart(4, '0')
  }
  return escaped
}

/** Go's `url.QueryEscape`: everything but letters, digits and `-_.~`, and spaces as `+`. */
export function escapeQuery(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*]/g, (character) => '%' + character.charCodeAt(0).toString(16).toUpperCase())
    .replaceAll('%20', '+')
}
