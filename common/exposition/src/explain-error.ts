import { isMetricType } from '@narthex/model/metric-type'
import { quoteBytes } from './exposition-error.ts'
import { isUtf8Range } from './scan.ts'
import { ValueParser } from './value-parser.ts'

// The parsers scan without tokens and know only that an entry is wrong. Here the entry is read once more with the token rules of Prometheus'
// two lexers, to say in its words what was expected and what was found. Slow, and only run when a scrape has failed already.

const entryBytesMax = 16_384

type State =
  | 'init'
  | 'comment'
  | 'meta1'
  | 'meta2'
  | 'labels'
  | 'labelValue'
  | 'value'
  | 'timestamp'
  | 'exemplar'
  | 'exemplarValue'
  | 'exemplarTimestamp'

/** [state, what matches, token ('' = go on in the same token), next state, how far a match that fails gets] */
type Rule = readonly [State, RegExp, string, State, RegExp?]

const anyString = /"(?:\\[^\n]|[^\\"])*"/y
const anyStringPart = /"(?:\\[^\n]|[^\\"])*\\?/y
const lineString = /"(?:\\[^\n]|[^\\"\n])*"/y
const lineStringPart = /"(?:\\[^\n]|[^\\"\n])*\\?/y
const metricName = /[a-zA-Z_:][a-zA-Z0-9_:]*/y
const labelName = /[a-zA-Z_][a-zA-Z0-9_]*/y

const textRules: readonly Rule[] = [
  ['init', /\0/y, 'EOF', 'init'],
  ['init', /\n/y, 'LINEBREAK', 'init'],
  ['init', /#[ \t]+/y, '', 'comment'],
  ['init', /#/y, 'COMMENT', 'init'],
  ['init', metricName, 'MNAME', 'value'],
  ['init', /\{/y, 'BOPEN', 'labels'],
  ['comment', /HELP[\t ]+/y, 'HELP', 'meta1'],
  ['comment', /TYPE[\t ]+/y, 'TYPE', 'meta1'],
  ['meta1', anyString, 'MNAME', 'meta2', anyStringPart],
  ['meta1', metricName, 'MNAME', 'meta2'],
  ['meta2', /[^\n]*/y, 'TEXT', 'init'],
  ['value', /\{/y, 'BOPEN', 'labels'],
  ['value', /[^{ \t\n\0]+/y, 'VALUE', 'timestamp'],
  ['labels', labelName, 'LNAME', 'labels'],
  ['labels', anyString, 'QSTRING', 'labels', anyStringPart],
  ['labels', /\}/y, 'BCLOSE', 'value'],
  ['labels', /=/y, 'EQUAL', 'labelValue'],
  ['labels', /,/y, 'COMMA', 'labels'],
  ['labelValue', anyString, 'LVALUE', 'labels', anyStringPart],
  ['timestamp', /[0-9]+/y, 'TIMESTAMP', 'timestamp'],
  ['timestamp', /\n/y, 'LINEBREAK', 'init'],
]

const openMetricsRules: readonly Rule[] = [
  ['init', /# /y, '', 'comment', /#/y],
  ['comment', /HELP /y, 'HELP', 'meta1', /H(?:E(?:LP?)?)?/y],
  ['comment', /TYPE /y, 'TYPE', 'meta1', /T(?:Y(?:PE?)?)?/y],
  ['comment', /UNIT /y, 'UNIT', 'meta1', /U(?:N(?:IT?)?)?/y],
  ['comment', /EOF\n?/y, 'EOFWORD', 'init', /EO?/y],
  ['init', metricName, 'MNAME', 'value'],
  ['init', /\{/y, 'BOPEN', 'labels'],
  ['meta1', anyString, 'MNAME', 'meta2', anyStringPart],
  ['meta1', metricName, 'MNAME', 'meta2'],
  ['meta2', / [^\n]*\n/y, 'TEXT', 'init', / [^\n]*/y],
  ['value', /\{/y, 'BOPEN', 'labels'],
  ['value', / [^ \n]+/y, 'VALUE', 'timestamp', / /y],
  ['labels', labelName, 'LNAME', 'labels'],
  ['labels', lineString, 'QSTRING', 'labels', lineStringPart],
  ['labels', /\}/y, 'BCLOSE', 'value'],
  ['labels', /=/y, 'EQUAL', 'labelValue'],
  ['labels', /,/y, 'COMMA', 'labels'],
  ['labelValue', lineString, 'LVALUE', 'labels', lineStringPart],
  ['timestamp', / # \{/y, 'COMMENT', 'exemplar'],
  ['timestamp', / [^ \n]+/y, 'TIMESTAMP', 'timestamp', / /y],
  ['timestamp', /\n/y, 'LINEBREAK', 'init'],
  ['exemplar', labelName, 'LNAME', 'exemplar'],
  ['exemplar', lineString, 'QSTRING', 'exemplar', lineStringPart],
  ['exemplar', /\}/y, 'BCLOSE', 'exemplarValue'],
  ['exemplar', /=/y, 'EQUAL', 'exemplarValue'],
  ['exemplar', /,/y, 'COMMA', 'exemplar'],
  ['exemplarValue', lineString, 'LVALUE', 'exemplar', lineStringPart],
  ['exemplarValue', / [^ \n]+/y, 'VALUE', 'exemplarTimestamp', / /y],
  ['exemplarTimestamp', / [^ \n]+/y, 'TIMESTAMP', 'exemplarTimestamp', / /y],
  ['exemplarTimestamp', /\n/y, 'LINEBREAK', 'init'],
]

class Lexer {
  readonly bytes: Uint8Array
  readonly #text: string
  readonly #rules: readonly Rule[]
  readonly #blanks: boolean
  #state: State = 'init'
  start = 0
  offset = 0

  constructor(bytes: Uint8Array, rules: readonly Rule[], blanks: boolean) {
    this.bytes = bytes
    this.#text = Buffer.from(bytes).toString('latin1')
    this.#rules = rules
    this.#blanks = blanks
  }

  /** The next token's name, or INVALID with `offset` at the byte that fits nothing. */
  next(): string {
    if (this.offset >= this.#text.length) return 'EOF'
    this.start = this.offset
    for (;;) {
      const rule = this.#longestRule()
      if (rule === undefined) {
        if (this.#blanks && this.#skipBlanks()) continue
        if (this.#blanks && this.#state === 'comment') return this.#comment()
        this.offset = this.#stuckAt()
        return 'INVALID'
      }
      this.#state = rule[3]
      if (rule[2] === '') continue
      return rule[2] === 'COMMENT' && this.#blanks ? this.#comment() : rule[2]
    }
  }

  token(): Uint8Array {
    return this.bytes.subarray(this.start, this.offset)
  }

  #longestRule(): Rule | undefined {
    let best: Rule | undefined
    let bestEnd = -1
    for (const rule of this.#rules) {
      const end = rule[0] === this.#state ? matchAt(rule[1], this.#text, this.offset) : -1
      if (end > bestEnd) [best, bestEnd] = [rule, end]
    }
    // Blanks come first in the lexer, so a text of nothing but blanks is blanks and then an empty text.
    if (this.#blanks && best?.[2] === 'TEXT' && matchAt(/[ \t]+/y, this.#text, this.offset) === bestEnd) return undefined
    if (best !== undefined) this.offset = bestEnd
    return best
  }

  #skipBlanks(): boolean {
    const end = matchAt(/[ \t]+/y, this.#text, this.offset)
    if (end < 0) return false
    this.offset = end
    this.start = end
    return end < this.#text.length
  }

  #comment(): string {
    const end = this.#text.indexOf('\n', this.offset)
    this.offset = end < 0 ? this.#text.length : end
    this.#state = 'init'
    return 'COMMENT'
  }

  #stuckAt(): number {
    let furthest = this.offset
    for (const rule of this.#rules) {
      if (rule[0] === this.#state && rule[4] !== undefined) furthest = Math.max(furthest, matchAt(rule[4], this.#text, this.offset))
    }
    return furthest
  }
}

function matchAt(regex: RegExp, text: string, offset: number): number {
  regex.lastIndex = offset
  return regex.test(text) ? regex.lastIndex : -1
}

/** Prometheus' words for what is wrong with the text 0.0.4 entry at `start`. */
export function explainTextError(bytes: Uint8Array, start: number, end: number): string {
  const entry = cutEntry(bytes, start, end)
  const withNewline = new Uint8Array(entry.length + 1)
  withNewline.set(entry)
  withNewline[entry.length] = 10
  return new TextExplainer(new Lexer(withNewline, textRules, true)).explain()
}

/** Prometheus' words for what is wrong with the OpenMetrics entry at `start`. */
export function explainOpenMetricsError(bytes: Uint8Array, start: number, end: number): string {
  return new OpenMetricsExplainer(new Lexer(cutEntry(bytes, start, end), openMetricsRules, false)).explain()
}

function cutEntry(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return bytes.subarray(start, Math.min(end, start + entryBytesMax))
}

abstract class Explainer {
  protected readonly lexer: Lexer

  constructor(lexer: Lexer) {
    this.lexer = lexer
  }

  abstract explain(): string

  protected wrong(expected: string, got: string): string {
    const { bytes, start, offset } = this.lexer
    const end = Math.min(bytes.length, offset + 1)
    return `${expected}, got ${quoteBytes(bytes, start, end)} (${JSON.stringify(got)}) while parsing: ${quoteBytes(bytes, 0, end)}`
  }

  protected whileParsing(problem: string): string {
    return `${problem} while parsing: ${quoteBytes(this.lexer.bytes, 0, this.lexer.offset)}`
  }

  /** The labels behind an opened brace; undefined when they are right. `name` tells whether the metric's name is known. */
  protected labels(name: { known: boolean }, commas: boolean, isExemplar: boolean): string | undefined {
    const lexer = this.lexer
    let token = lexer.next()
    for (;;) {
      if (token === 'BCLOSE') return undefined
      if (token !== 'LNAME' && token !== 'QSTRING') return this.wrong('expected label name', token)
      const quoted = token === 'QSTRING'
      token = lexer.next()
      if (token === 'COMMA' || token === 'BCLOSE') {
        if (isExemplar) return this.wrong('expected label name', token)
        if (!quoted) return this.wrong('expected equal', token)
        if (name.known) return this.whileParsing('metric name already set')
        name.known = true
        if (token === 'BCLOSE') return undefined
        token = lexer.next()
        continue
      }
      if (token !== 'EQUAL') return this.wrong('expected equal', token)
      token = lexer.next()
      if (token !== 'LVALUE') return this.wrong('expected label value', token)
      const value = lexer.token()
      if (!isUtf8Range(value, 0, value.length)) return `invalid UTF-8 label value: ${quoteBytes(value, 0, value.length)}`
      token = lexer.next()
      if (token === 'COMMA') token = lexer.next()
      else if (commas && token !== 'BCLOSE') return this.wrong('expected comma or brace close', token)
    }
  }

  /** The number behind the token's first `skip` bytes, or the reason why it is none. */
  protected number(skip: number): number | string {
    const token = this.lexer.token()
    try {
      return new ValueParser().readToken(token, skip, token.length)
    } catch (error) {
      return this.whileParsing(error instanceof Error ? error.message : String(error))
    }
  }
}

class TextExplainer extends Explainer {
  explain(): string {
    const lexer = this.lexer
    const token = lexer.next()
    if (token === 'HELP' || token === 'TYPE') return this.#metadata(token)
    if (token !== 'BOPEN' && token !== 'MNAME') return this.wrong('expected a valid start token', token)
    const name = { known: token === 'MNAME' }
    let next = token
    if (token === 'MNAME') next = lexer.next()
    if (next === 'BOPEN') {
      const problem = this.labels(name, false, false)
      if (problem !== undefined) return problem
      next = lexer.next()
    }
    if (!name.known) return this.whileParsing('metric name not set')
    if (next !== 'VALUE') return this.wrong('expected value after metric', next)
    const value = this.number(0)
    if (typeof value === 'string') return value
    next = lexer.next()
    if (next !== 'TIMESTAMP') return this.wrong('expected timestamp or new record', next)
    const digits = Buffer.from(lexer.token()).toString('latin1')
    if (BigInt(digits) > 9_223_372_036_854_775_807n) {
      return this.whileParsing(`strconv.ParseInt: parsing ${JSON.stringify(digits)}: value out of range`)
    }
    return this.wrong('expected next entry after timestamp', lexer.next())
  }

  #metadata(kind: string): string {
    const name = this.lexer.next()
    if (name !== 'MNAME') return this.wrong(`expected metric name after ${kind}`, name)
    this.lexer.next()
    const text = this.lexer.token().subarray(1)
    if (kind === 'TYPE') return `invalid metric type ${quoteBytes(text, 0, text.length)}`
    return `help text ${quoteBytes(text, 0, text.length)} is not a valid utf8 string`
  }
}

class OpenMetricsExplainer extends Explainer {
  explain(): string {
    const lexer = this.lexer
    const token = lexer.next()
    if (token === 'EOFWORD') return 'unexpected data after # EOF'
    if (token === 'EOF') return 'data does not end with # EOF'
    if (token === 'HELP' || token === 'TYPE' || token === 'UNIT') return this.#metadata(token)
    if (token !== 'BOPEN' && token !== 'MNAME') return this.wrong('expected a valid start token', token)
    const name = { known: token === 'MNAME' }
    let next = token
    if (token === 'MNAME') next = lexer.next()
    if (next === 'BOPEN') {
      const problem = this.labels(name, true, false)
      if (problem !== undefined) return problem
      next = lexer.next()
    }
    if (!name.known) return this.whileParsing('metric name not set')
    return this.#value(next, 'metric') ?? this.#endOfLine()
  }

  #value(token: string, after: string): string | undefined {
    if (token !== 'VALUE') return this.wrong(`expected value after ${after}`, token)
    const value = this.number(1)
    return typeof value === 'string' ? value : undefined
  }

  #endOfLine(): string {
    let token = this.lexer.next()
    if (token === 'EOF') return 'data does not end with # EOF'
    if (token === 'TIMESTAMP') {
      const problem = this.#timestamp('invalid timestamp')
      if (problem !== undefined) return problem
      token = this.lexer.next()
      if (token !== 'COMMENT') return this.wrong('expected next entry after timestamp', token)
    }
    return token === 'COMMENT' ? this.#exemplar() : this.wrong('expected timestamp or # symbol', token)
  }

  #exemplar(): string {
    const problem = this.labels({ known: true }, true, true) ?? this.#value(this.lexer.next(), 'exemplar labels')
    if (problem !== undefined) return problem
    const token = this.lexer.next()
    if (token === 'EOF') return 'data does not end with # EOF'
    if (token !== 'TIMESTAMP') return this.wrong('expected timestamp or comment', token)
    return this.#timestamp('invalid exemplar timestamp') ?? this.wrong('expected next entry after exemplar timestamp', this.lexer.next())
  }

  #timestamp(problem: string): string | undefined {
    const seconds = this.number(1)
    if (typeof seconds === 'string') return seconds
    if (Number.isFinite(seconds)) return undefined
    return `${problem} ${Number.isNaN(seconds) ? 'NaN' : seconds > 0 ? '+Inf' : '-Inf'}`
  }

  #metadata(kind: string): string {
    const lexer = this.lexer
    const nameToken = lexer.next()
    if (nameToken !== 'MNAME') return this.wrong(`expected metric name after ${kind}`, nameToken)
    const nameBytes = lexer.token()
    const textToken = lexer.next()
    if (textToken !== 'TEXT') return this.wrong(`expected text in ${kind}`, textToken)
    const textBytes = lexer.token().subarray(1, -1)
    const text = Buffer.from(textBytes).toString('utf8')
    const quoted = quoteBytes(textBytes, 0, textBytes.length)
    if (kind === 'TYPE' && !isMetricType(text)) return `invalid metric type ${quoted}`
    if (kind === 'UNIT') return `unit ${quoted} not a suffix of metric ${quoteBytes(nameBytes, 0, nameBytes.length)}`
    return `help text ${quoted} is not a valid utf8 string`
  }
}
