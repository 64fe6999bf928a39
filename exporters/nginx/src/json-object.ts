/** A part of a server's answer, not yet looked at. */
export type JsonObject = Readonly<Record<string, unknown>>

/** The number of that name, NaN if there is none. */
export function numberOf(numbers: JsonObject, name: string): number {
  const value = numbers[name]
  return typeof value === 'number' ? value : NaN
}

/** The object of that name, an empty one if there is none. */
export function partOf(numbers: JsonObject, name: string): JsonObject {
  return objectOf(numbers[name])
}

/** The numbers of a list; those that are none are NaN. */
export function listOf(numbers: JsonObject, name: string): number[] {
  const value = numbers[name]
  return Array.isArray(value) ? value.map((item: unknown) => (typeof item === 'number' ? item : NaN)) : []
}

/** The entries of an object that are objects themselves. */
export function entriesOf(value: unknown): [string, JsonObject][] {
  return Object.entries(objectOf(value)).filter((entry): entry is [string, JsonObject] => isObject(entry[1]))
}

/** The value if it is an object, else an empty one. */
export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {}
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value if it is a text, else an empty one. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
