import { formatFloatExponent, formatFloatPlain } from '@narthex/model/number'
import { kindOf, sortedEntries } from './value.ts'

const depthMax = 50

/**
 * A value as Go's `json.Marshal` writes it: maps by sorted keys, `<`, `>` and `&` escaped. Objects say themselves what they are
 * through `toJSON`; others give their properties as they are named.
 */
export function marshalJson(value: unknown, depth = 0): string {
  if (depth > depthMax) throw new Error(`json: unsupported value: nested more than ${depthMax} deep`)
  if (typeof value === 'object' && value !== null && 'toJSON' in value && typeof value.toJSON === 'function') {
    return marshalJson((value.toJSON as () => unknown)(), depth + 1)
  }
  switch (kindOf(value)) {
    case 'nil':
      return 'null'
    case 'bool':
      return String(value)
    case 'int':
      return String(value)
    case 'float':
      return marshalFloat(value as number)
    case 'string':
      return marshalText(value as string)
    case 'slice':
      return `[${(value as unknown[]).map((element) => marshalJson(element, depth + 1)).join(',')}]`
    case 'map':
      return marshalEntries(sortedEntries(value), depth)
    case 'func':
      throw new Error('json: unsupported type: func')
    case 'struct':
      return marshalEntries(Object.entries(value as object), depth)
  }
}

function marshalEntries(entries: readonly (readonly [string, unknown])[], depth: number): string {
  return `{${entries.map(([key, element]) => `${marshalText(key)}:${marshalJson(element, depth + 1)}`).join(',')}}`
}

function marshalFloat(value: number): string {
  if (!Number.isFinite(value)) throw new Error(`json: unsupported value: ${formatFloatPlain(value)}`)
  const size = Math.abs(value)
  // Go drops the zero of e-07 here, and only here.
  return size !== 0 && (size < 1e-6 || size >= 1e21) ? formatFloatExponent(value).replace(/e-0(\d)$/, 'e-$1') : formatFloatPlain(value)
}

function marshalText(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    (character) => '\\u' + character.charCodeAt(0).toString(16).padStart(4, '0'),
  )
}
