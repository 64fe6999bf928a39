import { dirname, isAbsolute, join } from 'node:path'
import { ConfigError, type ConfigProblem } from './config-error.ts'
import { fillPlaceholders, markPlaceholders } from './placeholders.ts'
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  loadYaml,
  type Document,
  type LineCounter,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
} from './yaml-library.ts'
import { findPlainTag, isNullText } from './yaml-scalar.ts'

/** A longer text is refused before it is parsed. */
export const yamlBytesMax = 32 * 2 ** 20
/** Aliases make one node count many times; a document that reads more nodes through them is a bomb. */
const aliasedNodesMax = 100_000
const depthMax = 500

/** The style of a scalar without quotes. */
const plain = 'PLAIN'

/** What `Codec.encode` gives: a tree that `printYaml` prints. Undefined values and empty ones of optional fields are left out. */
export type Encoded = string | number | boolean | null | undefined | readonly Encoded[] | { readonly [key: string]: Encoded }

/** Reads one kind of value from YAML, strictly, and gives it back in the form Prometheus prints. */
export interface Codec<Value> {
  /** Go's name of the type, for `cannot unmarshal !!str into …`. */
  readonly goType: string
  /** Empty and null scalars are values of their own (strings) rather than an absent value. */
  readonly takesNull?: boolean
  decode(node: Node, context: DecodeContext): Value
  encode(value: Value): Encoded
}

/** A value of the wrong type or an unknown key: collected, the rest is still read. */
export class UnmarshalProblem extends Error {
  readonly node: Node

  constructor(node: Node, text: string) {
    super(text)
    this.node = node
  }
}

export interface DecodeOptions {
  readonly path: string
  /** Go's yaml/v3 words its texts for keys set twice in its own way. */
  readonly dialect?: 'v2' | 'v3'
  /** What `%{NAME}` in a scalar stands for; absent: it stands for itself. */
  readonly environment?: NodeJS.ProcessEnv
  /** Keys that an object does not have are passed over; default: they are problems. */
  readonly ignoresUnknownKeys?: boolean
}

/** One document while it is being read: positions, collected problems, aliases. */
export class DecodeContext {
  readonly path: string
  readonly directory: string
  readonly dialect: 'v2' | 'v3'
  readonly ignoresUnknownKeys: boolean
  readonly problems: ConfigProblem[] = []
  /** Keys that were given a value although nothing acts on them so far, as `line 12: scrape_failure_log_file`. */
  readonly notYet: string[] = []
  readonly #document: Document
  readonly #lines: LineCounter
  readonly #nodes = new WeakMap<object, YAMLMap>()
  #aliasedNodes = 0
  #aliasDepth = 0
  #depth = 0

  constructor(document: Document, lines: LineCounter, options: DecodeOptions) {
    this.path = options.path
    this.directory = dirname(options.path)
    this.dialect = options.dialect ?? 'v2'
    this.ignoresUnknownKeys = options.ignoresUnknownKeys === true
    this.#document = document
    this.#lines = lines
  }

  /** Line and column, from 1, where a node begins. */
  place(node: Node | undefined | null): { line: number; column: number } {
    const start = node?.range?.[0]
    if (start === undefined) return { line: 0, column: 0 }
    const { line, col } = this.#lines.linePos(start)
    return { line, column: col }
  }

  /** Ends the reading with a text of its own (not an unmarshal error). */
  fail(node: Node | undefined | null, text: string, cause?: unknown): never {
    throw new ConfigError(this.path, [{ ...this.place(node), text }], 'check', { cause })
  }

  /** As `fail`, at a key of an object that was decoded here, or at the object itself. */
  failAt(value: object | undefined, key: string | undefined, text: string): never {
    throw new ConfigError(this.path, [{ ...this.placeOf(value, key), text }], 'check')
  }

  /** Line and column of a key of an object that was decoded here; of the object when it lacks the key. */
  placeOf(value: object | undefined, key?: string): { line: number; column: number } {
    const pair = key === undefined ? undefined : this.#findPair(value, key)
    return this.place((pair?.key as Node | undefined) ?? this.#mapOf(value) ?? (this.#document.contents as Node | null))
  }

  /** As `placeOf`, of the key's value. */
  placeOfValue(value: object, key: string): { line: number; column: number } {
    const node = this.#findPair(value, key)?.value as Node | null | undefined
    return node === null || node === undefined ? this.placeOf(value, key) : this.place(node)
  }

  #mapOf(value: object | undefined): YAMLMap | undefined {
    return value === undefined ? undefined : this.#nodes.get(value)
  }

  #findPair(value: object | undefined, key: string): Pair | undefined {
    return this.#mapOf(value)?.items.find((item) => isScalar(item.key) && scalarText(item.key) === key)
  }

  /** Remembers where an object came from, for `failAt`. */
  remember(value: object, map: YAMLMap): void {
    this.#nodes.set(value, map)
  }

  /** A copy of a decoded object is still found by `failAt`. */
  inherit<Value extends object>(from: object, to: Value): Value {
    const map = this.#nodes.get(from)
    if (map !== undefined) this.#nodes.set(to, map)
    return to
  }

  /** Runs `read`; an unmarshal problem is collected and gives undefined. */
  collect<Value>(read: () => Value): Value | undefined {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof UnmarshalProblem)) throw error
      this.problems.push({ ...this.place(error.node), text: error.message })
      return undefined
    }
  }

  /** Reads a node by a codec, through aliases. */
  read<Value>(codec: Codec<Value>, node: Node): Value {
    if (this.#depth >= depthMax) this.fail(node, 'exceeded max depth')
    if (this.#aliasDepth > 0 && ++this.#aliasedNodes > aliasedNodesMax) this.fail(node, 'yaml: document contains excessive aliasing')
    this.#depth++
    try {
      if (!isAlias(node)) return codec.decode(node, this)
      const target = this.resolveAlias(node)
      this.#aliasDepth++
      try {
        return codec.decode(target, this)
      } finally {
        this.#aliasDepth--
      }
    } finally {
      this.#depth--
    }
  }

  /** The node an alias stands for; any other node itself. */
  resolveAlias(node: Node): Node {
    if (!isAlias(node)) return node
    const target = node.resolve(this.#document)
    if (target === undefined) this.fail(node, `yaml: unknown anchor '${node.source}' referenced`)
    return target
  }

  /** Path of a file named in the document: relative ones are of the document's directory. */
  joinPath(path: string): string {
    return path === '' || isAbsolute(path) ? path : join(this.directory, path)
  }
}

/**
 * Parses one document and reads it by a codec. An empty document gives `empty()`. Throws ConfigError: of kind `syntax` for what is not
 * YAML, `unmarshal` with every wrong type and unknown key, `check` for the first failed check.
 */
export function decodeYaml<Value>(text: string, codec: Codec<Value>, empty: () => Value, options: DecodeOptions): Value {
  return openYaml(text, options, (root, context) => (root === undefined ? empty() : finish(context, () => context.read(codec, root))))
}

function finish<Value>(context: DecodeContext, read: () => Value): Value {
  const value = context.collect(read)
  const [first, ...others] = context.problems
  if (first !== undefined) throw new ConfigError(context.path, [first, ...others], 'unmarshal')
  return value!
}

/** Parses one document; `read` gets its root, undefined for an empty or null document. */
export function openYaml<Value>(
  text: string,
  options: DecodeOptions,
  read: (root: Node | undefined, context: DecodeContext) => Value,
): Value {
  const { path, environment } = options
  if (text.length > yamlBytesMax) {
    throw new ConfigError(path, [{ line: 0, column: 0, text: `file is larger than ${yamlBytesMax} bytes` }], 'check')
  }
  const lines = new (loadYaml().LineCounter)()
  const document = environment === undefined ? parseText(text, lines, path) : parseWithPlaceholders(text, lines, path, environment)
  const context = new DecodeContext(document, lines, options)
  const root = document.contents as Node | null
  const isEmpty = root === null || (isScalar(root) && isPlain(root) && isNullText(scalarText(root)))
  return read(isEmpty ? undefined : root, context)
}

function parseWithPlaceholders(text: string, lines: LineCounter, path: string, environment: NodeJS.ProcessEnv): Document {
  const marked = markPlaceholders(text)
  const document = parseText(marked.text, lines, path)
  const [first, ...others] = fillPlaceholders(document, marked, environment, (offset) => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  })
  if (first !== undefined) throw new ConfigError(path, [first, ...others], 'check')
  return document
}

function parseText(text: string, lines: LineCounter, path: string): Document {
  let document: Document
  try {
    // Keys set twice are reported with the type they are set in, so not by the parser; numbers and so on are read from the text.
    document = loadYaml().parseDocument(text, {
      version: '1.1',
      lineCounter: lines,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'silent',
    })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new ConfigError(path, [{ line: 0, column: 0, text: 'exceeded max depth' }], 'syntax', { cause: error })
  }
  const problems = document.errors
    .filter(({ code }) => code !== 'MULTIPLE_DOCS')
    .map(({ code, message, pos }) => {
      const { line, col } = lines.linePos(pos[0])
      return { line, column: col, text: wordSyntaxError(code, message) }
    })
  const [first, ...others] = problems
  if (first !== undefined) throw new ConfigError(path, [first, ...others], 'syntax')
  return document
}

// The words of libyaml where the causes correspond; its line may be the one before.
function wordSyntaxError(code: string, message: string): string {
  const words: Readonly<Record<string, string>> = {
    TAB_AS_INDENT: 'found character that cannot start any token',
    BLOCK_AS_IMPLICIT_KEY: 'mapping values are not allowed in this context',
    BAD_INDENT: 'did not find expected key',
    MISSING_CHAR: 'did not find expected node content',
  }
  const known = words[code]
  const plain = message.replace(/\s+at line \d+.*$/s, '')
  return known === undefined ? plain : `${known} (${plain})`
}

export function isPlain(node: Scalar): boolean {
  return node.type === plain && (node.tag === undefined || !node.tag.startsWith('tag:yaml.org,2002:str'))
}

/** The text of a scalar as written, quotes and escapes undone. */
export function scalarText(node: Scalar): string {
  return node.source ?? (node.value === null || node.value === undefined ? '' : String(node.value))
}

/** Stands for the value of a key that has none. */
export function emptyScalar(): Scalar {
  const scalar = new (loadYaml().Scalar)(null)
  scalar.source = ''
  scalar.type = plain
  return scalar
}

/** A null of any spelling: the key is treated as absent, or the string is that text. */
export function isNullNode(node: Node | null | undefined): boolean {
  return node === null || node === undefined || (isScalar(node) && isPlain(node) && isNullText(scalarText(node)))
}

/** `cannot unmarshal !!str `abc` into int`. */
export function wrongType(node: Node, goType: string): UnmarshalProblem {
  if (isMap(node)) return new UnmarshalProblem(node, `cannot unmarshal !!map into ${goType}`)
  if (isSeq(node)) return new UnmarshalProblem(node, `cannot unmarshal !!seq into ${goType}`)
  if (!isScalar(node)) return new UnmarshalProblem(node, `cannot unmarshal into ${goType}`)
  const text = scalarText(node)
  const tag = isPlain(node) ? findPlainTag(text) : '!!str'
  const shown = text.length > 10 ? `${text.slice(0, 7)}...` : text
  return new UnmarshalProblem(
    node,
    tag === '!!null' ? `cannot unmarshal !!null into ${goType}` : `cannot unmarshal ${tag} \`${shown}\` into ${goType}`,
  )
}

/** The pairs of a mapping with `<<` merged in (keys of the mapping itself win). */
export function readPairs(map: YAMLMap, context: DecodeContext, depth = 0): { key: Scalar; value: Node | null }[] {
  const own: { key: Scalar; value: Node | null }[] = []
  const merged: { key: Scalar; value: Node | null }[] = []
  for (const pair of map.items as Pair<Node, Node | null>[]) {
    const key = context.resolveAlias(pair.key)
    if (!isScalar(key)) throw new UnmarshalProblem(key, 'invalid map key')
    if (scalarText(key) === '<<' && key.type === plain) {
      if (depth > 20) context.fail(key, 'yaml: document contains excessive aliasing')
      merged.push(...readMerge(pair.value, context, depth))
    } else {
      own.push({ key, value: pair.value })
    }
  }
  if (merged.length === 0) return own
  const known = new Set(own.map(({ key }) => scalarText(key)))
  for (const pair of merged) {
    const name = scalarText(pair.key)
    if (known.has(name)) continue
    known.add(name)
    own.push(pair)
  }
  return own
}

function readMerge(value: Node | null, context: DecodeContext, depth: number): { key: Scalar; value: Node | null }[] {
  const node = value === null ? undefined : context.resolveAlias(value)
  if (isMap(node)) return readPairs(node, context, depth + 1)
  if (isSeq(node)) return node.items.flatMap((item) => readMerge(item as Node, context, depth + 1))
  return context.fail(value, 'yaml: map merge requires map or sequence of maps as the value')
}
