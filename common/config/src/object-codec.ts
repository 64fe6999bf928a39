import { isMap, isScalar, type Node } from './yaml-library.ts'
import { Secret } from './secret.ts'
import {
  emptyScalar,
  isNullNode,
  readPairs,
  scalarText,
  UnmarshalProblem,
  wrongType,
  type Codec,
  type DecodeContext,
  type Encoded,
} from './yaml-decode.ts'

/** One key of an object: how it is called, read and printed. */
export interface Field<Value> {
  readonly key: string
  readonly codec: Codec<NonNullable<Value>>
  /** Value of an absent key. */
  readonly initial: Value
  /** Printed even when it is empty (Go: no `omitempty`). */
  readonly isAlwaysPrinted: boolean
  /** Valid, but nothing acts on it so far. */
  readonly isNotYet: boolean
}

/** The keys of another object stand among the keys of this one (Go: `inline`). */
export interface Inline<Value> {
  readonly inline: ObjectCodec<Value>
}

export type Fields<Value> = { readonly [Key in keyof Required<Value>]: Field<Value[Key]> | Inline<Value[Key]> }

export interface FieldOptions {
  readonly always?: boolean
  readonly notYet?: boolean
}

/** A key that may be absent: undefined then. */
export function optional<Value>(key: string, codec: Codec<Value>, options: FieldOptions = {}): Field<Value | undefined> {
  return {
    key,
    codec: codec as Codec<NonNullable<Value>>,
    initial: undefined,
    isAlwaysPrinted: options.always === true,
    isNotYet: options.notYet === true,
  }
}

/** A key with a default. */
export function field<Value>(key: string, codec: Codec<Value>, initial: Value, options: FieldOptions = {}): Field<Value> {
  return {
    key,
    codec: codec as Codec<NonNullable<Value>>,
    initial,
    isAlwaysPrinted: options.always === true,
    isNotYet: options.notYet === true,
  }
}

export function inline<Value>(codec: ObjectCodec<Value>): Inline<Value> {
  return { inline: codec }
}

/** Given to checks: fails at a key of the object, and tells which keys the file has. */
export interface Checker {
  /** Ends with this text, placed at the key if the object has it, else at the object. */
  fail(text: string, key?: string): never
  has(key: string): boolean
  readonly context: DecodeContext
}

export interface ObjectCodec<Value> extends Codec<Value> {
  /** The value of an object without keys, unchecked. */
  defaults(): Value
  readonly keys: ReadonlyMap<string, KeyReader>
  /** Sets values read through `keys` together and checks them. */
  assemble(read: ReadonlyMap<string, unknown>, checker: Checker): Value
  print(value: Value): [string, Encoded][]
}

interface KeyReader {
  readonly codec: Codec<unknown>
  readonly isNotYet: boolean
}

export interface ObjectOptions<Value> {
  /** Runs when all keys were read without a problem; may give another value. */
  readonly check?: (value: Value, checker: Checker) => Value | void
}

/** Reads a mapping with exactly these keys. `goType` names it in `field x not found in type config.plain`. */
export function object<Value extends object>(
  goType: string,
  fields: Fields<Value>,
  options: ObjectOptions<Value> = {},
): ObjectCodec<Value> {
  const entries = Object.entries(fields) as [string, Field<unknown> | Inline<unknown>][]
  const keys = new Map<string, KeyReader>()
  for (const [, described] of entries) {
    if ('inline' in described) for (const [key, reader] of described.inline.keys) keys.set(key, reader)
    else keys.set(described.key, { codec: described.codec as Codec<unknown>, isNotYet: described.isNotYet })
  }

  function assemble(read: ReadonlyMap<string, unknown>, checker: Checker): Value {
    const value: Record<string, unknown> = {}
    for (const [name, described] of entries) {
      const given =
        'inline' in described
          ? described.inline.assemble(read, checker)
          : read.has(described.key)
            ? read.get(described.key)
            : described.initial
      if (given !== undefined) value[name] = given
    }
    const whole = value as Value
    return options.check?.(whole, checker) ?? whole
  }

  function defaults(): Value {
    const value: Record<string, unknown> = {}
    for (const [name, described] of entries) {
      const given = 'inline' in described ? described.inline.defaults() : described.initial
      if (given !== undefined) value[name] = given
    }
    return value as Value
  }

  function print(value: Value): [string, Encoded][] {
    const record = value as Record<string, unknown>
    return entries.flatMap(([name, described]): [string, Encoded][] => {
      const inner = record[name]
      if ('inline' in described) return described.inline.print(inner)
      if (inner === undefined || (!described.isAlwaysPrinted && isEmpty(inner))) return []
      const encoded = (described.codec as Codec<unknown>).encode(inner)
      return !described.isAlwaysPrinted && isEmpty(encoded) ? [] : [[described.key, encoded]]
    })
  }

  function decode(node: Node, context: DecodeContext): Value {
    if (!isMap(node)) throw wrongType(node, goType)
    const before = context.problems.length
    const read = new Map<string, unknown>()
    const seen = new Map<string, Node>()
    for (const { key, value } of readPairs(node, context)) {
      const name = scalarText(key)
      const reader = keys.get(name)
      if (reader === undefined && !context.ignoresUnknownKeys) {
        context.collect(() => reportUnknown(key, `field ${name} not found in type ${goType}`))
        continue
      }
      const first = seen.get(name)
      if (first !== undefined) {
        context.collect(() => reportUnknown(key, wordDuplicate(name, goType, first, context)))
        continue
      }
      seen.set(name, key)
      if (reader === undefined) continue
      if (isNullNode(value) && reader.codec.takesNull !== true) continue
      const decoded = context.collect(() => context.read(reader.codec, value ?? emptyScalar()))
      if (decoded === undefined) continue
      read.set(name, decoded)
      if (reader.isNotYet && !isEmpty(decoded)) context.notYet.push(`line ${context.place(key).line}: ${name}`)
    }
    if (context.problems.length > before) return defaults()
    const value = assemble(read, checkerOf(node, context))
    context.remember(value, node)
    return value
  }

  return { goType, keys, defaults, assemble, print, decode, encode: (value) => Object.fromEntries(print(value)) }
}

function checkerOf(node: Node, context: DecodeContext): Checker {
  const find = (key: string): Node | undefined => {
    const pair = isMap(node) ? node.items.find((item) => isScalar(item.key) && scalarText(item.key) === key) : undefined
    return pair?.key as Node | undefined
  }
  return {
    fail: (text, key) => context.fail((key === undefined ? undefined : find(key)) ?? node, text),
    has: (key) => find(key) !== undefined,
    context,
  }
}

function reportUnknown(node: Node, text: string): never {
  throw new UnmarshalProblem(node, text)
}

function wordDuplicate(name: string, goType: string, first: Node, context: DecodeContext): string {
  if (context.dialect === 'v2') return `field ${name} already set in type ${goType}`
  return `mapping key "${name}" already defined at line ${context.place(first).line}`
}

/** Another shape of an object whose keys may still be inlined elsewhere. */
export function convertObject<Raw extends object, Value>(
  codec: ObjectCodec<Raw>,
  to: (raw: Raw, checker: Checker) => Value,
  from: (value: Value) => Raw,
  initial: Value,
): ObjectCodec<Value> {
  return {
    goType: codec.goType,
    keys: codec.keys,
    defaults: () => initial,
    assemble: (read, checker) => to(codec.assemble(read, checker), checker),
    print: (value) => codec.print(from(value)),
    decode(node, context) {
      const before = context.problems.length
      const raw = codec.decode(node, context)
      if (context.problems.length > before) return initial
      const value = to(raw, checkerOf(node, context))
      if (typeof value === 'object' && value !== null && isMap(node)) context.remember(value, node)
      return value
    },
    encode: (value) => codec.encode(from(value)),
  }
}

// What Go's omitempty leaves out.
function isEmpty(value: unknown): boolean {
  if (value === '' || value === 0 || value === false) return true
  if (value instanceof Secret) return value.isEmpty
  if (Array.isArray(value)) return value.length === 0
  if (typeof value !== 'object' || value === null) return false
  return Object.getPrototypeOf(value) === Object.prototype && Object.keys(value).length === 0
}
