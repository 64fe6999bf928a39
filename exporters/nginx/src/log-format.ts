import { accessLogFields, fieldIndex, type AccessLogField, type LineReader } from './access-log-fields.ts'

/** NGINX' default format, which every installation starts with. */
export const combinedFormat =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'

interface Part {
  /** Of `FieldPlaces`; -1 for a variable that is skipped. */
  readonly field: number
  /** What stands behind the variable; empty at the end of the line. */
  readonly delimiter: Uint8Array
}

const nothing = new Uint8Array(0)

/**
 * Makes a reader of the text of a `log_format` (`$name` and `${name}` with other text between them). A variable ends where the text behind it
 * begins; what a line has behind the last one is skipped, so a format that was lengthened is read as well. Throws one clear line for a format
 * that cannot be read back.
 */
export function compileLogFormat(format: string): LineReader {
  const { head, parts } = parseFormat(format)
  return (bytes, start, end, places) => {
    places.fill(0)
    if (!matchesAt(bytes, start, end, head)) return false
    let offset = start + head.length
    for (let i = 0; i < parts.length; i++) {
      const { delimiter, field } = parts[i]!
      const stop = delimiter.length === 0 ? end : findIn(bytes, offset, end, delimiter)
      if (stop < 0) return false
      if (field >= 0) {
        places[2 * field] = offset
        places[2 * field + 1] = stop
      }
      offset = stop + delimiter.length
    }
    return true
  }
}

function parseFormat(format: string): { readonly head: Uint8Array; readonly parts: readonly Part[] } {
  const fail = (problem: string): Error => new Error(`cannot use log format ${JSON.stringify(format)}: ${problem}`)
  const tokens = [...format.matchAll(/\$(?:\{(\w+)\}|(\w+))([^$]*)/g)]
  const names = tokens.map(([, braced, bare]) => braced ?? bare!)
  if (!names.includes('status')) throw fail('want $status in it')
  const parts = tokens.map(([, , , text = ''], index): Part => {
    const isLast = index === tokens.length - 1
    if (text === '' && !isLast) throw fail(`want text between $${names[index]} and $${names[index + 1]}`)
    return { field: fieldOf(names[index]!), delimiter: text === '' ? nothing : new TextEncoder().encode(text) }
  })
  return { head: new TextEncoder().encode(format.slice(0, tokens[0]!.index)), parts }
}

function fieldOf(name: string): number {
  return accessLogFields.includes(name as AccessLogField) ? fieldIndex[name as AccessLogField] : -1
}

/** Offset of `wanted` in `bytes[start, end)`, -1 if it is not there. Never looks behind the line, which `indexOf` would do. */
function findIn(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): number {
  const first = wanted[0]!
  for (let offset = start; offset < end; offset++) {
    if (bytes[offset] === first && matchesAt(bytes, offset, end, wanted)) return offset
  }
  return -1
}

function matchesAt(bytes: Uint8Array, offset: number, end: number, wanted: Uint8Array): boolean {
  if (offset + wanted.length > end) return false
  for (let i = 0; i < wanted.length; i++) if (bytes[offset + i] !== wanted[i]) return false
  return true
}
