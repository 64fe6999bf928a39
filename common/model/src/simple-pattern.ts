import { characterLength, isHigh, isLow, unescapedLiteral } from './pattern-text.ts'

// Most patterns that people write are lists of words, `prefix.*`, `5..` and the like. They need no automaton.

/** One character, whatever it is. */
const anyOne = Symbol('.')
/** Any characters, or none. */
const anyMany = Symbol('.*')
type Item = string | typeof anyOne | typeof anyMany

/** What the whole value must look like: the items one after another. */
type Sequence = readonly Item[]

/** A list of words may be long, for it costs what it is long; what groups multiply to, and what is tried one by one, may not. */
const alternativesMax = 65_536
const productMax = 1024
const testsMax = 32
const nestingMax = 16

/** The patterns for which this file has a matcher; all are tested in time linear in the value. */
export interface SimplePattern {
  /** Every value that matches, if they are finitely many. */
  readonly literals: readonly string[] | undefined
  /** What each matching value begins with. */
  readonly prefix: string
  readonly captureCount: number
  readonly test: (value: string) => boolean
}

/**
 * Recognizes literals, `.`, `.*`, `.+`, groups and alternations of those (fully anchored, dot matches newline);
 * undefined for everything else, valid or not.
 */
export function parseSimplePattern(pattern: string): SimplePattern | undefined {
  if (!pattern.isWellFormed()) return undefined
  const parser = new SimpleParser(pattern)
  const sequences = parser.parse()
  if (sequences === undefined) return undefined
  const words = new Set<string>()
  const others: Sequence[] = []
  for (const sequence of sequences) {
    if (isWord(sequence)) words.add(sequence[0] ?? '')
    else others.push(sequence)
  }
  if (others.length > testsMax) return undefined
  return {
    literals: others.length === 0 ? [...words] : undefined,
    prefix: commonPrefix(sequences),
    captureCount: parser.captureCount,
    test: testAlternatives(words, others),
  }
}

class SimpleParser {
  readonly #pattern: string
  readonly #end: number
  #at = 0
  #depth = 0
  captureCount = 0

  constructor(pattern: string) {
    this.#pattern = pattern
    // A `^` in front and a `$` at the end say what full anchoring says already, but only around the whole pattern.
    const hasBars = pattern.includes('|')
    if (!hasBars && pattern.startsWith('^')) this.#at = 1
    this.#end = !hasBars && /(?:^|[^\\])(?:\\\\)*\$$/.test(pattern) ? pattern.length - 1 : pattern.length
  }

  parse(): Sequence[] | undefined {
    const sequences = this.#alternation()
    return this.#at === this.#end ? sequences : undefined
  }

  #alternation(): Sequence[] | undefined {
    if (++this.#depth > nestingMax) return undefined
    const sequences: Sequence[] = []
    for (;;) {
      const alternatives = this.#concatenation()
      if (alternatives === undefined) return undefined
      for (const alternative of alternatives) sequences.push(alternative)
      if (sequences.length > alternativesMax) return undefined
      if (this.#at >= this.#end || this.#pattern[this.#at] !== '|') break
      this.#at++
    }
    this.#depth--
    return sequences
  }

  #concatenation(): Sequence[] | undefined {
    let sequences: Sequence[] = [[]]
    while (this.#at < this.#end) {
      const character = this.#pattern[this.#at]!
      if (character === '|' || character === ')') break
      const atoms = this.#atom(character)
      if (atoms === undefined) return undefined
      const product = multiply(sequences, atoms)
      if (product === undefined) return undefined
      sequences = product
    }
    return sequences
  }

  #atom(character: string): Sequence[] | undefined {
    if (character === '(') return this.#group()
    if (character === '.') {
      this.#at++
      return this.#dot()
    }
    let word = ''
    for (let next: string | undefined = character; next !== undefined && !'|().'.includes(next); next = this.#peek()) {
      const literal = this.#literal()
      if (literal === undefined) return undefined
      word += literal
    }
    return this.#isQuantified() ? undefined : [[word]]
  }

  #peek(): string | undefined {
    return this.#at < this.#end ? this.#pattern[this.#at] : undefined
  }

  #dot(): Sequence[] | undefined {
    const quantifier = this.#pattern[this.#at]
    if (this.#at >= this.#end || (quantifier !== '*' && quantifier !== '+')) return this.#isQuantified() ? undefined : [[anyOne]]
    this.#at++
    // Lazy or greedy is all the same to a yes-or-no answer.
    if (this.#pattern[this.#at] === '?') this.#at++
    if (this.#isQuantified()) return undefined
    return quantifier === '*' ? [[anyMany]] : [[anyOne, anyMany]]
  }

  #group(): Sequence[] | undefined {
    if (this.#pattern.startsWith('(?:', this.#at)) this.#at += 3
    else if (this.#pattern[this.#at + 1] === '?') return undefined
    else {
      this.captureCount++
      this.#at++
    }
    const inner = this.#alternation()
    if (inner === undefined || this.#at >= this.#end || this.#pattern[this.#at] !== ')') return undefined
    this.#at++
    return this.#isQuantified() ? undefined : inner
  }

  #literal(): string | undefined {
    const literal = unescapedLiteral(this.#pattern, this.#at)
    // The last character may belong to a `$` that is no longer part of the pattern.
    if (literal === undefined || this.#at + literal.sourceLength > this.#end) return undefined
    this.#at += literal.sourceLength
    return literal.text
  }

  #isQuantified(): boolean {
    return this.#at < this.#end && '*+?{'.includes(this.#pattern[this.#at]!)
  }
}

function multiply(left: Sequence[], right: Sequence[]): Sequence[] | undefined {
  if (left.length === 1 && left[0]!.length === 0) return right
  if (left.length * right.length > productMax) return undefined
  const product: Sequence[] = []
  for (const head of left) for (const tail of right) product.push(join(head, tail))
  return product
}

/** Adjacent literals become one; `.*.*` becomes `.*`. */
function join(head: Sequence, tail: Sequence): Sequence {
  if (head.length === 0) return tail
  const last = head.at(-1)!
  const first = tail[0]
  if (typeof last === 'string' && typeof first === 'string') return [...head.slice(0, -1), last + first, ...tail.slice(1)]
  if (last === anyMany && first === anyMany) return [...head, ...tail.slice(1)]
  return [...head, ...tail]
}

function commonPrefix(sequences: readonly Sequence[]): string {
  let prefix: string | undefined
  for (const sequence of sequences) {
    const first = sequence[0]
    const start = typeof first === 'string' ? first : ''
    if (prefix === undefined) prefix = start
    while (!start.startsWith(prefix)) prefix = prefix.slice(0, -1)
  }
  // Half of a surrogate pair is no text.
  return prefix === undefined || prefix.isWellFormed() ? (prefix ?? '') : prefix.slice(0, -1)
}

function isWord(sequence: Sequence): sequence is readonly [] | readonly [string] {
  return sequence.length === 0 || (sequence.length === 1 && typeof sequence[0] === 'string')
}

function testAlternatives(words: ReadonlySet<string>, others: readonly Sequence[]): (value: string) => boolean {
  const tests = others.map(testSequence)
  if (tests.length === 1 && words.size === 0) return tests[0]!
  if (tests.length === 0) {
    if (words.size > 1) return (value) => words.has(value)
    const only = [...words][0]!
    return (value) => value === only
  }
  return (value) => {
    if (words.has(value)) return true
    for (const test of tests) if (test(value)) return true
    return false
  }
}

function testSequence(sequence: Sequence): (value: string) => boolean {
  const [first, second, third] = sequence
  if (sequence.length === 1 && first === anyMany) return () => true
  if (sequence.length === 2 && first === anyOne && second === anyMany) return (value) => value !== ''
  if (sequence.length === 2 && typeof first === 'string' && second === anyMany) return (value) => value.startsWith(first)
  if (sequence.length === 2 && first === anyMany && typeof second === 'string') return (value) => value.endsWith(second)
  if (sequence.length === 3 && first === anyMany && typeof second === 'string' && third === anyMany)
    return (value) => value.includes(second)
  return testSegments(splitAtMany(sequence))
}

function splitAtMany(sequence: Sequence): Segment[] {
  const segments: Segment[] = [[]]
  for (const item of sequence) {
    if (item === anyMany) segments.push([])
    else segments.at(-1)!.push(item)
  }
  return segments
}

/** The items between two `.*`: of a fixed number of characters. */
type Segment = (string | typeof anyOne)[]

/**
 * The first segment stands at the start, the last one at the end, and each one between at the earliest place after the one before:
 * if any placing fits then this one does, so nothing is tried twice.
 */
function testSegments(segments: readonly Segment[]): (value: string) => boolean {
  const first = segments[0]!
  if (segments.length === 1) return (value) => matchForward(first, value, 0) === value.length
  const last = segments.at(-1)!
  const between = segments.slice(1, -1)
  return (value) => {
    let at = matchForward(first, value, 0)
    if (at < 0) return false
    for (const segment of between) {
      at = findSegment(segment, value, at)
      if (at < 0) return false
    }
    return matchBackward(last, value, at) >= at
  }
}

/** The end of the segment's earliest place at or after `from`; -1 if there is none. */
function findSegment(segment: Segment, value: string, from: number): number {
  const first = segment[0]
  for (let at = from; at <= value.length; at += characterLength(value, at)) {
    if (typeof first === 'string') {
      at = value.indexOf(first, at)
      if (at < 0) return -1
    }
    const end = matchForward(segment, value, at)
    if (end >= 0) return end
  }
  return -1
}

function matchForward(segment: Segment, value: string, from: number): number {
  let at = from
  for (const item of segment) {
    if (item === anyOne) {
      if (at >= value.length) return -1
      at += characterLength(value, at)
    } else {
      if (!value.startsWith(item, at)) return -1
      at += item.length
    }
  }
  return at
}

/** The start of the segment if it stands at the value's end and not before `from`; -1 if it does not. */
function matchBackward(segment: Segment, value: string, from: number): number {
  let at = value.length
  for (let i = segment.length - 1; i >= 0; i--) {
    const item = segment[i]!
    if (item === anyOne) {
      if (at <= from) return -1
      at -= at >= 2 && isLow(value.charCodeAt(at - 1)) && isHigh(value.charCodeAt(at - 2)) ? 2 : 1
    } else {
      if (!value.endsWith(item, at)) return -1
      at -= item.length
    }
  }
  return at
}
