import type { FieldPlaces } from './access-log-fields.ts'
import { readJsonLine } from './json-line.ts'
import { combinedFormat, compileLogFormat } from './log-format.ts'

const readCombinedLine = compileLogFormat(combinedFormat)
const openBrace = 123

/** A `LineReader` for lines of JSON, and of the combined format. */
export function readAutomatically(bytes: Uint8Array, start: number, end: number, places: FieldPlaces): boolean {
  return bytes[start] === openBrace ? readJsonLine(bytes, start, end, places) : readCombinedLine(bytes, start, end, places)
}
