// Answers of engines are strangers' JSON: everything is unknown until it is looked at.

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Throws one clear line for bytes that are no JSON object. */
export function parseRecord(body: Uint8Array, what: string): Readonly<Record<string, unknown>> {
  const value = parseJson(body, what)
  if (!isRecord(value)) throw new Error(`cannot read ${what}: want a JSON object, got ${typeof value}`)
  return value
}

export function parseJson(body: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'))
  } catch (cause) {
    throw new Error(`cannot read ${what}: want JSON, got ${body.length} bytes that are none`, { cause })
  }
}

/** The object in a field, empty if there is none. */
export function recordField(record: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  const value = record[name]
  return isRecord(value) ? value : {}
}

/** The text in a field, empty if there is none. */
export function textField(record: Readonly<Record<string, unknown>>, name: string): string {
  const value = record[name]
  return typeof value === 'string' ? value : ''
}

/** The number in a field, 0 if there is none. */
export function numberField(record: Readonly<Record<string, unknown>>, name: string): number {
  const value = record[name]
  return typeof value === 'number' ? value : 0
}

/** The texts of a list, empty if there is none. */
export function textsField(record: Readonly<Record<string, unknown>>, name: string): readonly string[] {
  const value = record[name]
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** The texts of an object. */
export function textMap(record: Readonly<Record<string, unknown>>): ReadonlyMap<string, string> {
  const map = new Map<string, string>()
  for (const [name, value] of Object.entries(record)) if (typeof value === 'string') map.set(name, value)
  return map
}

/** Unix seconds of a time as Go prints it; undefined for none, and for Go's zero time. */
export function parseTimeSeconds(text: string): number | undefined {
  const ms = Date.parse(text)
  return Number.isNaN(ms) || ms < 0 ? undefined : Math.floor(ms / 1000)
}
