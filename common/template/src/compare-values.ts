import { compareBytewise } from '@narthex/model/compare'
import { printValue } from './go-print.ts'
import { integerOf, kindOf, typeNameOf } from './value.ts'

const comparableKinds = ['bool', 'int', 'float', 'string']

/** Go's `eq`: whether the first equals any of the others. Kinds do not mix: 1 and 1.0 are an error, not equal or unequal. */
export function equalsAny(first: unknown, others: readonly unknown[]): boolean {
  if (others.length === 0) throw new Error('missing argument for comparison')
  return others.some((other) => equals(first, other))
}

export function equals(a: unknown, b: unknown): boolean {
  const kind = kindOf(a)
  const other = kindOf(b)
  if (kind === 'nil' || other === 'nil') return kind === other
  if (kind !== other) {
    if (comparableKinds.includes(kind) || comparableKinds.includes(other)) throw incompatible(a, b)
    throw new Error(`non-comparable types ${printValue(a)}: ${typeNameOf(a)}, ${typeNameOf(b)}: ${printValue(b)}`)
  }
  if (kind === 'int') return integerOf(a) === integerOf(b)
  if (comparableKinds.includes(kind)) return a === b
  if (kind === 'struct') return a === b || (hasEquals(a) && a.Equal(b) === true)
  throw new Error(`non-comparable type ${printValue(b)}: ${typeNameOf(b)}`)
}

/** Go's `lt`. */
export function isLess(a: unknown, b: unknown): boolean {
  return order(a, b) < 0
}

/** Go's `le`. */
export function isLessOrEqual(a: unknown, b: unknown): boolean {
  // As Go has it, `lt or eq`: with a NaN neither.
  return isLess(a, b) || equals(a, b)
}

/** Negative only if a < b; a NaN is below nothing. */
function order(a: unknown, b: unknown): number {
  const kind = kindOf(a)
  const other = kindOf(b)
  if (!comparableKinds.includes(kind) || !comparableKinds.includes(other)) throw new Error('invalid type for comparison')
  if (kind !== other) throw incompatible(a, b)
  switch (kind) {
    case 'int':
      return integerOf(a) < integerOf(b) ? -1 : 1
    case 'float':
      return (a as number) < (b as number) ? -1 : 1
    case 'string':
      return compareBytewise(a as string, b as string)
    default:
      throw new Error('invalid type for comparison')
  }
}

function incompatible(a: unknown, b: unknown): Error {
  return new Error(`incompatible types for comparison: ${typeNameOf(a)} and ${typeNameOf(b)}`)
}

function hasEquals(value: unknown): value is { Equal(other: unknown): unknown } {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'Equal') === 'function'
}
