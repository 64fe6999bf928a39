// Answers of services as they come: a field that is missing or of another kind reads as empty.

export type JsonRecord = Readonly<Record<string, unknown>>

/** True for a JSON object: neither null nor a list. */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function textField(record: JsonRecord, name: string): string {
  const value = record[name]
  return typeof value === 'string' ? value : ''
}

/** A whole number that is not negative, else 0. */
export function numberField(record: JsonRecord, name: string): number {
  const value = record[name]
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0
}

export function recordField(record: JsonRecord, name: string): JsonRecord {
  const value = record[name]
  return isRecord(value) ? value : {}
}

export function listField(record: JsonRecord, name: string): readonly unknown[] {
  const value = record[name]
  return Array.isArray(value) ? value : []
}

export function textsField(record: JsonRecord, name: string): string[] {
  return listField(record, name).filter((value) => typeof value === 'string')
}

/** The pairs of an object whose values are text. */
export function textPairs(record: JsonRecord): [string, string][] {
  return Object.entries(record).filter((pair): pair is [string, string] => typeof pair[1] === 'string')
}

/** The text of bytes as JSON; an error names `what`. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
  } catch (error) {
    throw new Error(`cannot read ${what}: want JSON`, { cause: error })
  }
}
