/** A query text that cannot be parsed. `message` is Prometheus' text: `1:5: parse error: unexpected …`. */
export class ParseError extends Error {
  override name = 'ParseError'
  /** What is wrong, without the position. */
  readonly reason: string
  /** Offset into the query text in UTF-16 units. */
  readonly offset: number

  /** Without a text: of nowhere. */
  constructor(reason: string, text?: string, offset = 0) {
    super(`${text === undefined ? 'unknown position' : formatPosition(text, offset)}: parse error: ${reason}`)
    this.reason = reason
    this.offset = offset
  }
}

const encoder = new TextEncoder()

/** `line:column`, both from 1; the column counts UTF-8 bytes, as Prometheus does. */
export function formatPosition(text: string, offset: number): string {
  let line = 1
  let lineStart = 0
  for (let i = 0; i < offset && i < text.length; i++) {
    if (text.charCodeAt(i) === 10) {
      line++
      lineStart = i + 1
    }
  }
  return `${line}:${encoder.encode(text.slice(lineStart, offset)).length + 1}`
}
