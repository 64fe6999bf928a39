import { equalsAny, isLess, isLessOrEqual } from './compare-values.ts'
import { escapeHtml, escapeQuery, escapeScript } from './escape.ts'
import { sprint, sprintf, sprintln } from './go-print.ts'
import { anyType, integerOf, isTrue, kindOf, lookUp, stringType, typeNameOf } from './value.ts'
import type { FunctionMap } from './value.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The functions that every Go template has, except `and`, `or` and `call`, which the evaluator sees to itself. */
export const builtinFunctions: FunctionMap = {
  not: { parameters: [anyType], call: (value: unknown) => !isTrue(value) },
  eq: { parameters: [anyType], variadic: anyType, call: (first: unknown, ...others: unknown[]) => equalsAny(first, others) },
  ne: { parameters: [anyType, anyType], call: (a: unknown, b: unknown) => !equalsAny(a, [b]) },
  lt: { parameters: [anyType, anyType], call: isLess },
  le: { parameters: [anyType, anyType], call: isLessOrEqual },
  gt: { parameters: [anyType, anyType], call: (a: unknown, b: unknown) => !isLessOrEqual(a, b) },
  ge: { parameters: [anyType, anyType], call: (a: unknown, b: unknown) => !isLess(a, b) },
  len: { parameters: [anyType], call: measure },
  index: {
    parameters: [anyType],
    variadic: anyType,
    call: (item: unknown, ...keys: unknown[]) => keys.reduce(indexOnce, checkIndexable(item)),
  },
  slice: { parameters: [anyType], variadic: anyType, call: cutSlice },
  print: { parameters: [], variadic: anyType, call: (...values: unknown[]) => sprint(values) },
  println: { parameters: [], variadic: anyType, call: (...values: unknown[]) => sprintln(values) },
  printf: { parameters: [stringType], variadic: anyType, call: (format: string, ...values: unknown[]) => sprintf(format, values) },
  html: { parameters: [], variadic: anyType, call: (...values: unknown[]) => escapeHtml(sprint(values)) },
  js: { parameters: [], variadic: anyType, call: (...values: unknown[]) => escapeScript(sprint(values)) },
  urlquery: { parameters: [], variadic: anyType, call: (...values: unknown[]) => escapeQuery(sprint(values)) },
}

/** The names that the evaluator sees to itself. */
export const specialFunctions: readonly string[] = ['and', 'or', 'call']

/** Texts count in bytes, as Go's do. */
function measure(value: unknown): bigint {
  switch (kindOf(value)) {
    case 'nil':
      throw new Error('len of nil pointer')
    case 'string':
      return BigInt(encoder.encode(value as string).length)
    case 'slice':
      return BigInt((value as unknown[]).length)
    case 'map':
      return BigInt((value as Map<string, unknown>).size)
    default:
      throw new Error(`len of type ${typeNameOf(value)}`)
  }
}

function checkIndexable(item: unknown): unknown {
  if (kindOf(item) === 'nil') throw new Error('index of untyped nil')
  return item
}

function indexOnce(item: unknown, key: unknown): unknown {
  switch (kindOf(item)) {
    case 'nil':
      throw new Error('index of nil pointer')
    case 'slice': {
      const elements = item as unknown[]
      return elements[readIndex(key, elements.length, false)]
    }
    case 'string': {
      const bytes = encoder.encode(item as string)
      return BigInt(bytes[readIndex(key, bytes.length, false, 'string')]!)
    }
    case 'map':
      if (typeof key !== 'string') {
        if (kindOf(key) === 'nil') throw new Error('value is nil; should be of type string')
        throw new Error(`value has type ${typeNameOf(key)}; should be string`)
      }
      return lookUp(item, key)
    default:
      throw new Error(`can't index item of type ${typeNameOf(item)}`)
  }
}

function readIndex(key: unknown, length: number, endIsAllowed: boolean, kind = 'slice'): number {
  if (kindOf(key) === 'nil') throw new Error('cannot index slice/array with nil')
  if (kindOf(key) !== 'int') throw new Error(`cannot index slice/array with type ${typeNameOf(key)}`)
  const index = integerOf(key)
  if (index < 0n || index > BigInt(length)) throw new Error(`index out of range: ${index}`)
  if (!endIsAllowed && index === BigInt(length)) throw new Error(`reflect: ${kind} index out of range`)
  return Number(index)
}

function cutSlice(item: unknown, ...keys: unknown[]): unknown {
  const kind = kindOf(item)
  if (kind === 'nil') throw new Error('slice of untyped nil')
  if (keys.length > 3) throw new Error(`too many slice indexes: ${keys.length}`)
  if (kind !== 'string' && kind !== 'slice') throw new Error(`can't slice item of type ${typeNameOf(item)}`)
  if (kind === 'string' && keys.length === 3) throw new Error('cannot 3-index slice a string')
  const whole = kind === 'string' ? encoder.encode(item as string) : (item as unknown[])
  const indexes = keys.map((key) => readIndex(key, whole.length, true))
  const [from = 0, to = whole.length, capacity = whole.length] = indexes
  if (from > to) throw new Error(`invalid slice index: ${from} > ${to}`)
  if (to > capacity) throw new Error(`invalid slice index: ${to} > ${capacity}`)
  return whole instanceof Uint8Array ? decoder.decode(whole.subarray(from, to)) : whole.slice(from, to)
}
