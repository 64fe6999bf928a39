/** A body that is not what its content type says; `message` is Prometheus' text plus the place. The scrape that read it fails as a whole. */
export class ExpositionError extends Error {
  override name = 'ExpositionError'
  /** 1 for the first line of the body; 0 where the body has no lines. */
  readonly line: number
  /** The message without the place. */
  readonly problem: string

  /** `place` stands for the line where the body has none, as `byte 12`. */
  constructor(text: string, line: number, place = `line ${line}`) {
    super(`${text} (${place})`)
    this.line = line
    this.problem = text
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** The bytes [start, end) as Go's %q prints them: double quotes, `\n`, `\xff` for what is not UTF-8. */
export function quoteBytes(bytes: Uint8Array, start: number, end: number): string {
  let out = '"'
  for (let i = start; i < end;) {
    const byte = bytes[i]!
    const size = byte < 0x80 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    if (size === 1) {
      out += quoteAscii(byte)
      i++
      continue
    }
    const char = i + size <= end ? decodeOne(bytes.subarray(i, i + size)) : undefined
    out += char ?? `\\x${byte.toString(16)}`
    i += char === undefined ? 1 : size
  }
  return out + '"'
}

function decodeOne(bytes: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(bytes)
    return [...text].length === 1 ? text : undefined
  } catch {
    return undefined
  }
}

const escapes: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
}

function quoteAscii(byte: number): string {
  const escape = escapes[byte]
  if (escape !== undefined) return escape
  return byte < 32 || byte === 127 ? `\\x${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte)
}
