import { Labels } from '@narthex/model/labels'
import { compareBytewise } from '@narthex/model/compare'
import { goInteger, goMethods, goType } from './go-type.ts'

// What a template works on, and how Go's types are told apart here:
//   nil              undefined, null
//   bool, string     boolean, string
//   int              bigint, objects with a goInteger (durations)
//   float64          number
//   slice            Array (also subclasses with methods)
//   map              Map with texts as keys, Labels; a missing key is nil, in a StringMap and in Labels ''
//   func             TemplateFunction
//   struct           every other object; fields and methods are the properties whose names begin with a capital, so
//                    nothing that JavaScript gives to every object can be reached from a template

/** A map whose missing keys are ''. */
export class StringMap extends Map<string, string> {}

export type ValueKind = 'nil' | 'bool' | 'int' | 'float' | 'string' | 'slice' | 'map' | 'func' | 'struct'

/** What a function parameter takes. */
export interface ParameterType {
  /** Go's name of the type, for messages. */
  readonly name: string
  readonly accepts: (value: unknown) => boolean
  /** Whether nil may be given. */
  readonly isNilable?: boolean
}

export interface TemplateFunction {
  readonly parameters: readonly ParameterType[]
  /** What follows the parameters, any number of times. */
  readonly variadic?: ParameterType
  /** May throw: the text becomes `error calling NAME: …`. */
  readonly call: (...values: never[]) => unknown
}

export type FunctionMap = Readonly<Record<string, TemplateFunction>>

export const anyType: ParameterType = { name: 'interface {}', accepts: () => true, isNilable: true }
export const stringType: ParameterType = { name: 'string', accepts: (value) => typeof value === 'string' }
export const intType: ParameterType = { name: 'int', accepts: (value) => typeof value === 'bigint' }
export const floatType: ParameterType = { name: 'float64', accepts: (value) => typeof value === 'number' }
export const boolType: ParameterType = { name: 'bool', accepts: (value) => typeof value === 'boolean' }

export function isTemplateFunction(value: unknown): value is TemplateFunction {
  return typeof value === 'object' && value !== null && 'parameters' in value && 'call' in value
}

export function kindOf(value: unknown): ValueKind {
  switch (typeof value) {
    case 'undefined':
      return 'nil'
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'int'
    case 'number':
      return 'float'
    case 'string':
      return 'string'
    case 'object':
      return kindOfObject(value)
    default:
      return 'func'
  }
}

function kindOfObject(value: object | null): ValueKind {
  if (value === null) return 'nil'
  if (goInteger in value) return 'int'
  if (Array.isArray(value)) return 'slice'
  if (value instanceof Map || value instanceof Labels) return 'map'
  return isTemplateFunction(value) ? 'func' : 'struct'
}

const typeNames: Readonly<Record<ValueKind, string>> = {
  nil: '<nil>',
  bool: 'bool',
  int: 'int',
  float: 'float64',
  string: 'string',
  slice: '[]interface {}',
  map: 'map[string]interface {}',
  func: 'func',
  struct: 'struct',
}

/** Go's name of a value's type. */
export function typeNameOf(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    const named: unknown = Reflect.get(value, goType)
    if (typeof named === 'string') return named
    if (value instanceof StringMap || value instanceof Labels) return 'map[string]string'
  }
  return typeNames[kindOf(value)]
}

/** What the method of a value takes as its `index`th argument. */
export function parameterOf(receiver: unknown, method: string, index: number): ParameterType {
  if (typeof receiver !== 'object' || receiver === null) return anyType
  const methods = Reflect.get(receiver, goMethods) as Readonly<Record<string, readonly ParameterType[]>> | undefined
  return methods !== undefined && Object.hasOwn(methods, method) ? (methods[method]![index] ?? anyType) : anyType
}

/** Go's truth: everything but nil, false, zero and what is empty. */
export function isTrue(value: unknown): boolean {
  switch (kindOf(value)) {
    case 'nil':
      return false
    case 'bool':
      return value === true
    case 'int':
      return integerOf(value) !== 0n
    case 'float':
      return value !== 0
    case 'string':
      return value !== ''
    case 'slice':
      return (value as unknown[]).length > 0
    case 'map':
      return (value as Map<string, unknown> | Labels).size > 0
    default:
      return true
  }
}

/** The integer of a value of kind 'int'. */
export function integerOf(value: unknown): bigint {
  if (typeof value === 'bigint') return value
  if (typeof value === 'object' && value !== null && goInteger in value && typeof value[goInteger] === 'bigint') return value[goInteger]
  throw new Error(`cannot read integer: got ${typeNameOf(value)}`)
}

/** A map's entries in the order of their keys. */
export function sortedEntries(map: unknown): [string, unknown][] {
  if (map instanceof Labels) {
    const { pairs } = map
    const entries: [string, unknown][] = []
    for (let i = 0; i < pairs.length; i += 2) entries.push([pairs[i]!, pairs[i + 1]])
    return entries
  }
  const entries = [...(map as Map<string, unknown>).entries()]
  return entries.sort(([a], [b]) => compareBytewise(a, b))
}

/** What a map holds under a key; if there is none, the zero value of the map's elements. */
export function lookUp(map: unknown, key: string): unknown {
  if (map instanceof Labels) return map.get(key)
  const value = (map as Map<string, unknown>).get(key)
  return value === undefined && map instanceof StringMap ? '' : value
}
