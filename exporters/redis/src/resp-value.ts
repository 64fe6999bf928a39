import { Buffer } from 'node:buffer'
import { RespError, type RespValue } from './resp-reader.ts'

// What a reply should be is checked here, once: servers differ by version, proxies by taste.

/** Bytes and texts as text, integers in decimal; undefined for anything else. Bytes that are no UTF-8 become U+FFFD. */
export function textOf(value: RespValue | undefined): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  return Buffer.isBuffer(value) ? value.toString('utf8') : undefined
}

const noBytes = Buffer.alloc(0)

/** Bytes, and texts as UTF-8; empty for anything else. */
export function bytesOf(value: RespValue | undefined): Buffer {
  if (Buffer.isBuffer(value)) return value
  return typeof value === 'string' ? Buffer.from(value) : noBytes
}

/** Integers, and texts that are whole decimal numbers; undefined for anything else. */
export function integerOf(value: RespValue | undefined): number | undefined {
  if (typeof value === 'number') return value
  const text = textOf(value)
  return text !== undefined && /^[+-]?[0-9]+$/.test(text) ? Number(text) : undefined
}

/** The elements of an array; none for anything else. */
export function itemsOf(value: RespValue | undefined): readonly RespValue[] {
  return isArray(value) ? value : []
}

/** An array `name, value, name, value, …` as a map; names that are no text are left out. */
export function fieldsOf(value: RespValue | undefined): ReadonlyMap<string, RespValue> {
  const items = itemsOf(value)
  const fields = new Map<string, RespValue>()
  for (let i = 0; i + 1 < items.length; i += 2) {
    const name = textOf(items[i])
    if (name !== undefined) fields.set(name, items[i + 1]!)
  }
  return fields
}

/** The error of a reply, else undefined. */
export function errorOf(value: RespValue | undefined): string | undefined {
  return value instanceof RespError ? value.message : undefined
}

// Array.isArray does not narrow readonly arrays.
function isArray(value: RespValue | undefined): value is readonly RespValue[] {
  return Array.isArray(value)
}
