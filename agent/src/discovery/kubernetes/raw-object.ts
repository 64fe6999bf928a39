// Careful looks into JSON of strangers: what is missing or of another kind reads as empty.

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function field(value: unknown, name: string): unknown {
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

export function textField(value: unknown, name: string): string {
  const text = field(value, name)
  return typeof text === 'string' ? text : ''
}

/** Undefined when absent. */
export function optionalText(value: unknown, name: string): string | undefined {
  const text = field(value, name)
  return typeof text === 'string' ? text : undefined
}

export function numberField(value: unknown, name: string): number | undefined {
  const number = field(value, name)
  return typeof number === 'number' ? number : undefined
}

export function booleanField(value: unknown, name: string): boolean | undefined {
  const boolean = field(value, name)
  return typeof boolean === 'boolean' ? boolean : undefined
}

export function listField(value: unknown, name: string): readonly unknown[] {
  const list = field(value, name)
  return Array.isArray(list) ? list : []
}

export function textList(value: unknown, name: string): string[] {
  return listField(value, name).filter((item) => typeof item === 'string')
}
