import { formatDuration, parseDuration } from '@narthex/model/duration'
import { isMap, isScalar, isSeq, type Node } from './yaml-library.ts'
import { checkGoUrl, redactGoUrl } from './go-url.ts'
import { formatByteSize, parseByteSize } from './byte-size.ts'
import { Secret, secretText } from './secret.ts'
import {
  emptyScalar,
  isNullNode,
  isPlain,
  readPairs,
  scalarText,
  UnmarshalProblem,
  wrongType,
  type Codec,
  type DecodeContext,
  type Encoded,
} from './yaml-decode.ts'
import { findPlainTag, parseBooleanText, parseFloatText, parseIntegerText, resolvePlain } from './yaml-scalar.ts'

// Codecs of single values, lists and maps. Objects are in object-codec.ts.

function readText(node: Node, goType: string): string {
  if (!isScalar(node)) throw wrongType(node, goType)
  if (node.tag === 'tag:yaml.org,2002:binary') return readBinary(node)
  return scalarText(node)
}

function readBinary(node: Node): string {
  const text = isScalar(node) ? scalarText(node).replaceAll(/\s/g, '') : ''
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) {
    throw new UnmarshalProblem(node, '!!binary value contains invalid base64 data')
  }
  return Buffer.from(text, 'base64').toString('utf8')
}

/** Any scalar, by its text: `8080`, `yes` and `~` are strings here, as in Go. */
export const string: Codec<string> = {
  goType: 'string',
  takesNull: true,
  decode: (node) => readText(node, 'string'),
  encode: (value) => value,
}

/** A string whose Go type reads itself, so that null leaves the default. */
export const text: Codec<string> = { goType: 'string', decode: (node) => readText(node, 'string'), encode: (value) => value }

/** A path, resolved against the directory of the file it stands in. */
export const filePath: Codec<string> = {
  goType: 'string',
  takesNull: true,
  decode: (node, context) => context.joinPath(readText(node, 'string')),
  encode: (value) => value,
}

export const secret: Codec<Secret> = {
  goType: 'config.plain',
  decode: (node) => new Secret(readText(node, 'config.plain')),
  encode: (value) => (value.isEmpty ? '' : secretText),
}

export const boolean: Codec<boolean> = {
  goType: 'bool',
  decode(node) {
    const value = isScalar(node) && isPlain(node) ? parseBooleanText(scalarText(node)) : undefined
    if (value === undefined) throw wrongType(node, 'bool')
    return value
  },
  encode: (value) => value,
}

function integerCodec(goType: string, min: bigint, max: bigint): Codec<number> {
  return {
    goType,
    decode(node) {
      if (!isScalar(node) || !isPlain(node)) throw wrongType(node, goType)
      const given = scalarText(node)
      const integer = parseIntegerText(given)
      // Go cuts a float that is read into an integer.
      const float = integer === undefined && findPlainTag(given) === '!!float' ? parseFloatText(given) : undefined
      const value = integer ?? (float === undefined || !Number.isFinite(float) ? undefined : BigInt(Math.trunc(float)))
      if (value === undefined || value < min || value > max) throw wrongType(node, goType)
      return Number(value)
    },
    encode: (value) => value,
  }
}

const exactMax = BigInt(Number.MAX_SAFE_INTEGER)

/** Whole numbers beyond 2^53 are refused: no setting needs them and a number could not hold them. */
export const integer: Codec<number> = integerCodec('int', -exactMax, exactMax)
export const unsigned: Codec<number> = integerCodec('uint', 0n, exactMax)
export const unsigned64: Codec<number> = integerCodec('uint64', 0n, exactMax)
export const integer64: Codec<number> = integerCodec('int64', -exactMax, exactMax)

export const float: Codec<number> = {
  goType: 'float64',
  decode(node) {
    const value = isScalar(node) && isPlain(node) ? parseFloatText(scalarText(node)) : undefined
    if (value === undefined) throw wrongType(node, 'float64')
    return value
  },
  encode: (value) => value,
}

/** Prometheus' durations in milliseconds. */
export const durationMs: Codec<number> = {
  goType: 'string',
  decode(node, context) {
    const given = readText(node, 'string')
    try {
      return parseDuration(given)
    } catch (error) {
      return context.fail(node, messageOf(error), error)
    }
  },
  encode: (value) => formatDuration(value),
}

/** Sizes with a unit of 1024 (`10MB`, `1GiB`) in bytes. */
export const sizeBytes: Codec<number> = {
  goType: 'units.Base2Bytes',
  decode(node, context) {
    const given = readText(node, 'units.Base2Bytes')
    try {
      return parseByteSize(given)
    } catch (error) {
      return context.fail(node, messageOf(error), error)
    }
  },
  encode: (value) => (value === 0 ? 0 : formatByteSize(value)),
}

/** A URL that Go's parser takes; its password is not printed. */
export const url: Codec<string> = {
  goType: 'string',
  decode(node, context) {
    const given = readText(node, 'string')
    const problem = checkGoUrl(given)
    return problem === undefined ? given : context.fail(node, `parse ${JSON.stringify(given)}: ${problem}`)
  },
  encode: (value) => redactGoUrl(value),
}

/** One of the words; anything else fails with the text of `wordProblem`. */
export function choice<const Word extends string>(words: readonly Word[], wordProblem: (given: string) => string): Codec<Word> {
  return {
    goType: 'string',
    decode(node, context) {
      const given = readText(node, 'string')
      return words.find((word) => word === given) ?? context.fail(node, wordProblem(given))
    },
    encode: (value) => value,
  }
}

export interface ListOptions<Value> {
  /** Go's name of the list's type; default `[]` and the element's. */
  readonly goType?: string
  /** What an empty or null element fails with; without it such an element is the codec's business. */
  readonly emptyText?: string
  /** What an empty or null element stands for. */
  readonly nullValue?: () => Value
  /** Empty and null elements are left out. */
  readonly skipsEmpty?: boolean
}

export function list<Value>(element: Codec<Value>, options: ListOptions<Value> = {}): Codec<readonly Value[]> {
  const goType = options.goType ?? `[]${element.goType}`
  return {
    goType,
    decode(node, context) {
      if (!isSeq(node)) throw wrongType(node, goType)
      const values: Value[] = []
      for (const item of node.items as Node[]) {
        if (isNullNode(item) && options.skipsEmpty === true) continue
        if (isNullNode(item) && options.nullValue !== undefined) {
          values.push(options.nullValue())
          continue
        }
        if (isNullNode(item) && element.takesNull !== true)
          context.fail(isScalar(item) ? item : node, options.emptyText ?? 'empty or null list element')
        const value = context.collect(() => context.read(element, item))
        if (value !== undefined) values.push(value)
      }
      return values
    },
    encode: (values) => values.map((value) => element.encode(value)),
  }
}

/** A mapping of any keys; a key set twice is an error. `checkKey` gives the text of what is wrong with a key. */
export function map<Value>(
  element: Codec<Value>,
  options: { readonly goType?: string; readonly checkKey?: (key: string) => string | undefined } = {},
): Codec<Readonly<Record<string, Value>>> {
  const goType = options.goType ?? `map[string]${element.goType}`
  return {
    goType,
    decode(node, context) {
      if (!isMap(node)) throw wrongType(node, goType)
      const values = new Map<string, Value>()
      const seen = new Map<string, Node>()
      for (const { key, value } of readPairs(node, context)) {
        const name = scalarText(key)
        const first = seen.get(name)
        if (first !== undefined) context.collect(() => reportDuplicate(key, name, first, context))
        seen.set(name, key)
        const problem = options.checkKey?.(name)
        if (problem !== undefined) context.fail(key, problem)
        if (isNullNode(value) && element.takesNull !== true) continue
        const decoded = context.collect(() => context.read(element, value ?? emptyScalar()))
        if (decoded !== undefined) values.set(name, decoded)
      }
      return Object.fromEntries(values)
    },
    // Go prints maps in order of their keys.
    encode: (values) =>
      Object.fromEntries(
        Object.keys(values)
          .sort()
          .map((key) => [key, element.encode(values[key]!)]),
      ),
  }
}

function reportDuplicate(node: Node, name: string, first: Node, context: DecodeContext): never {
  throw new UnmarshalProblem(
    node,
    context.dialect === 'v2'
      ? `key "${name}" already set in map`
      : `mapping key "${name}" already defined at line ${context.place(first).line}`,
  )
}

/** Any YAML as plain values. Depth and aliases are bounded by the context. */
export const anything: Codec<unknown> = {
  goType: 'interface {}',
  takesNull: true,
  decode(node, context): unknown {
    if (isScalar(node)) return isPlain(node) ? resolvePlain(scalarText(node)) : scalarText(node)
    if (isSeq(node)) return (node.items as Node[]).map((item) => context.read(anything, item))
    if (!isMap(node)) throw wrongType(node, 'interface {}')
    return Object.fromEntries(
      readPairs(node, context).map(({ key, value }) => [scalarText(key), value === null ? null : context.read(anything, value)]),
    )
  },
  encode: encodeAnything,
}

function encodeAnything(value: unknown): Encoded {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (Array.isArray(value)) return value.map(encodeAnything)
  if (typeof value !== 'object') return undefined
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, encodeAnything(inner)]))
}

/** Another shape of what a codec reads. `from` may fail through the context. */
export function convert<Raw, Value>(
  codec: Codec<Raw>,
  to: (raw: Raw, fail: (text: string, cause?: unknown) => never) => Value,
  from: (value: Value) => Raw,
): Codec<Value> {
  return {
    goType: codec.goType,
    ...(codec.takesNull === true ? { takesNull: true } : {}),
    decode: (node, context) => to(codec.decode(node, context), (problem, cause) => context.fail(node, problem, cause)),
    encode: (value) => codec.encode(from(value)),
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
