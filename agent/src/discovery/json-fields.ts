// Answers of services as they come: a field that is missing or of another kind reads as empty, or as undefined where that makes a difference.

export type JsonRecord = Readonly<Record<string, unknown>>

/** True for a JSON object: neither null nor a list. */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What an object has under a name; undefined for anything that is no object, and for what every object inherits. */
export function field(value: unknown, name: string): unknown {
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

export function textField(value: unknown, name: string): string {
  return optionalText(value, name) ?? ''
}

export function optionalText(value: unknown, name: string): string | undefined {
  const text = field(value, name)
  return typeof text === 'string' ? text : undefined
}

/** A whole number that is not negative, else 0. */
export function numberField(value: unknown, name: string): number {
  const number = field(value, name)
  return typeof number === 'number' && Number.isSafeInteger(number) && number > 0 ? number : 0
}

/** Any number. */
export function optionalNumber(value: unknown, name: string): number | undefined {
  const number = field(value, name)
  return typeof number === 'number' ? number : undefined
}

export function optionalBoolean(value: unknown, name: string): boolean | undefined {
  const boolean = field(value, name)
  return typeof boolean === 'boolean' ? boolean : undefined
}

export function recordField(value: unknown, name: string): JsonRecord {
  const record = field(value, name)
  return isRecord(record) ? record : {}
}

export function listField(value: unknown, name: string): readonly unknown[] {
  const list = field(value, name)
  return Array.isArray(list) ? list : []
}

/** The texts of a list; what else is in it is left out. */
export function textsField(value: unknown, name: string): string[] {
  return listField(value, name).filter((item) => typeof item === 'string')
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
