import type { RE2JS } from 're2js'
import { parseCapturePattern } from './capture-pattern.ts'
import type { CaptureMatcher } from './capture-pattern.ts'
import { loadRe2 } from './re2-library.ts'
import { parseSimplePattern } from './simple-pattern.ts'
import type { SimplePattern } from './simple-pattern.ts'

type RE2Matcher = ReturnType<RE2JS['matcher']>

/** The groups of a match by number, group 0 being the whole; undefined where a group took no part. */
export type RegexMatch = readonly (string | undefined)[]

/** A pattern cannot be read; the text is the one of Go's regexp package. */
export class RegexSyntaxError extends Error {
  override name = 'RegexSyntaxError'
}

export interface RegexOptions {
  /** Whether `.` matches a newline: true, as Prometheus has it, unless said otherwise (Alertmanager). */
  readonly dotMatchesNewline?: boolean
}

// An engine may hold up to 8 MiB of states (re2js' own bound), a simple pattern hardly more than itself. So the cache is full
// with 64 engines (at worst 512 MiB, if each one is a hostile pattern), 1024 simple patterns, or a mixture.
const cacheWeightMax = 1024
const engineWeight = 16
const cachedPatternMax = 4096
const cache = new Map<string, AnchoredRegex>()
let cacheWeight = 0

/**
 * The pattern in RE2's language, anchored at both ends. Answers in time linear in the value, whatever the pattern.
 * Patterns used lately are kept compiled. Throws `RegexSyntaxError`.
 */
export function compileRegex(pattern: string, options: RegexOptions = {}): AnchoredRegex {
  const dotMatchesNewline = options.dotMatchesNewline ?? true
  const key = (dotMatchesNewline ? 's' : '-') + pattern
  const known = cache.get(key)
  if (known !== undefined) {
    // A map iterates in the order of insertion: moving what is used to the end leaves the least recently used in front.
    cache.delete(key)
    cache.set(key, known)
    return known
  }
  const regex = new AnchoredRegex(pattern, dotMatchesNewline)
  if (pattern.length <= cachedPatternMax) remember(key, regex)
  return regex
}

function remember(key: string, regex: AnchoredRegex): void {
  cache.set(key, regex)
  cacheWeight += weigh(regex)
  for (const [oldKey, old] of cache) {
    if (cacheWeight <= cacheWeightMax) return
    cache.delete(oldKey)
    cacheWeight -= weigh(old)
  }
}

function weigh(regex: AnchoredRegex): number {
  return regex.isSimple && regex.groupCount === 0 ? 1 : engineWeight
}

/** A pattern that must match a value from end to end. */
export class AnchoredRegex {
  readonly pattern: string
  /** What every matching value begins with; '' if nothing is known. */
  readonly prefix: string
  /** Whether every value matches. */
  readonly matchesAll: boolean
  readonly test: (value: string) => boolean
  readonly #simple: SimplePattern | undefined
  readonly #dotMatchesNewline: boolean
  #engine: RE2JS | undefined
  #matcher: RE2Matcher | undefined
  #captures: CaptureMatcher | 'by engine' | undefined
  #groupNames: ReadonlyMap<string, number> | undefined

  /** Use `compileRegex`, which remembers. */
  constructor(pattern: string, dotMatchesNewline: boolean) {
    this.pattern = pattern
    this.#dotMatchesNewline = dotMatchesNewline
    // Without a dot the option means nothing, and a dot that stops at newlines is rare enough for the engine.
    this.#simple = dotMatchesNewline || !pattern.includes('.') ? parseSimplePattern(pattern) : undefined
    if (this.#simple !== undefined) {
      this.prefix = this.#simple.prefix
      this.test = this.#simple.test
      this.matchesAll = /^\^?(?:\.\*|\(\.\*\)|\(\?:\.\*\))\$?$/.test(pattern)
    } else {
      const engine = this.#compile()
      const prefix = (this.prefix = literalPrefix(pattern))
      // Most values fail here already.
      this.test = (value) => value.startsWith(prefix) && engine.testExact(value)
      this.matchesAll = false
    }
  }

  /** Whether the pattern is tested without an automaton. */
  get isSimple(): boolean {
    return this.#simple !== undefined
  }

  /** The values that match, if the pattern is nothing but a list of them. */
  literals(): string[] | undefined {
    return this.#simple?.literals?.slice()
  }

  /** Number of groups, without group 0. */
  get groupCount(): number {
    return this.#simple?.captureCount ?? this.#compile().groupCount()
  }

  /** Group numbers by name. */
  get groupNames(): ReadonlyMap<string, number> {
    if (this.#simple !== undefined) return noNames
    return (this.#groupNames ??= new Map(Object.entries(this.#compile().namedGroups())))
  }

  /** The groups, or undefined if the value does not match. */
  match(value: string): RegexMatch | undefined {
    if (this.#simple !== undefined) {
      if (!this.test(value)) return undefined
      if (this.#simple.captureCount === 0) return [value]
      if (this.pattern === '(.*)') return [value, value]
      this.#captures ??= parseCapturePattern(this.pattern) ?? 'by engine'
      if (this.#captures !== 'by engine') return this.#captures(value)
    }
    const matcher = (this.#matcher ??= this.#compile().matcher('')).resetMatcherInput(value)
    return matcher.matches() ? readGroups(matcher) : undefined
  }

  toString(): string {
    return this.pattern
  }

  #compile(): RE2JS {
    return (this.#engine ??= compileEngine(this.pattern, this.#dotMatchesNewline))
  }
}

/** A pattern that may match anywhere in a text, as Go's `regexp.MustCompile(pattern)`; `.` does not match a newline. */
export class SearchRegex {
  readonly #engine: RE2JS

  /** Throws `RegexSyntaxError`. */
  constructor(pattern: string) {
    this.#engine = compileEngine(pattern, false)
  }

  test(text: string): boolean {
    return this.#engine.test(text)
  }

  get groupNames(): ReadonlyMap<string, number> {
    return new Map(Object.entries(this.#engine.namedGroups()))
  }

  /** Replaces each match by what `replace` makes of its groups. */
  replaceAll(text: string, replace: (match: RegexMatch) => string): string {
    const matcher = this.#engine.matcher(text)
    let result = ''
    let copied = 0
    let searched = 0
    // As Go has it: an empty match right behind the match before is none.
    let lastEnd = -1
    while (searched <= text.length && matcher.find(searched)) {
      const start = matcher.start()
      const end = matcher.end()
      if (end > start || start !== lastEnd) {
        result += text.slice(copied, start) + replace(readGroups(matcher))
        copied = end
        lastEnd = end
      }
      searched = end > start ? end : end + (text.codePointAt(end)! > 0xffff ? 2 : 1)
    }
    return result + text.slice(copied)
  }
}

const noNames: ReadonlyMap<string, number> = new Map()

function readGroups(matcher: RE2Matcher): RegexMatch {
  const groups: (string | undefined)[] = []
  for (let i = 0; i <= matcher.groupCount(); i++) groups.push(matcher.group(i) ?? undefined)
  return groups
}

function compileEngine(pattern: string, dotMatchesNewline: boolean): RE2JS {
  try {
    const { RE2JS: Engine } = loadRe2()
    return Engine.compile(pattern, dotMatchesNewline ? Engine.DOTALL : 0)
  } catch (error) {
    throw new RegexSyntaxError(describeSyntaxError(error, pattern), { cause: error })
  }
}

function describeSyntaxError(error: unknown, pattern: string): string {
  const { RE2JSException, RE2JSSyntaxException } = loadRe2()
  if (error instanceof RE2JSSyntaxException) {
    const description = error.getDescription()
    // Go names the part that is wrong. The engine names none where that is the whole, and sees "(?s)" put in front of it.
    let part = error.getPattern() ?? (description.startsWith('trailing backslash') ? '' : pattern)
    if (part === '(?s)' + pattern) part = pattern
    return `error parsing regexp: ${description}: \`${part}\``
  }
  if (error instanceof RE2JSException || error instanceof RangeError) return `error parsing regexp: ${error.message}`
  throw error
}

/** The characters before the first one that means something, if no alternation can bypass them. */
function literalPrefix(pattern: string): string {
  if (pattern.includes('|')) return ''
  const { length } = /^[^\\.+*?()[\]{}^$]*/.exec(pattern)![0]
  // `ab?` or `ab*` or `ab{0}`: the last character is not sure.
  const isSure = length === pattern.length || !'*?{'.includes(pattern[length]!)
  const prefix = pattern.slice(0, isSure ? length : Math.max(0, length - 1))
  return prefix.isWellFormed() ? prefix : prefix.slice(0, -1)
}
