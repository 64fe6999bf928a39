import { formatFloatG } from '@narthex/model/number'
import { quoteText } from '@narthex/model/quote'
import { pad } from './format-directive.ts'
import type { Directive, Flags } from './format-directive.ts'
import { formatNumber } from './go-number-format.ts'
import { integerOf, kindOf, sortedEntries, typeNameOf } from './value.ts'

/** Widths and precisions above this are refused, as Go refuses them. */
const widthMax = 1_000_000
const depthMax = 20

/** Go's `fmt.Sprint`: the operands' default forms, with a space between two that are not texts. */
export function sprint(values: readonly unknown[]): string {
  let printed = ''
  for (const [i, value] of values.entries()) {
    if (i > 0 && typeof value !== 'string' && typeof values[i - 1] !== 'string') printed += ' '
    printed += printValue(value)
  }
  return printed
}

/** Go's `fmt.Sprintln`: a space between any two operands, a newline at the end. */
export function sprintln(values: readonly unknown[]): string {
  return values.map((value) => printValue(value)).join(' ') + '\n'
}

/** A value as `%v` prints it. */
export function printValue(value: unknown, depth = 0): string {
  if (depth > depthMax) return '...'
  switch (kindOf(value)) {
    case 'nil':
      return '<nil>'
    case 'string':
      return value as string
    case 'float':
      return formatFloatG(value as number)
    case 'bool':
      return String(value)
  }
  const described = describeItself(value)
  if (described !== undefined) return described
  switch (kindOf(value)) {
    case 'int':
      return String(integerOf(value))
    case 'slice':
      return `[${(value as unknown[]).map((element) => printValue(element, depth + 1)).join(' ')}]`
    case 'map':
      return `map[${sortedEntries(value)
        .map(([key, element]) => `${key}:${printValue(element, depth + 1)}`)
        .join(' ')}]`
    case 'func':
      return 'func'
    default:
      return `{${fieldsOf(value as object)
        .map(([, element]) => printValue(element, depth + 1))
        .join(' ')}}`
  }
}

/** What Go's `String()` or `Error()` method gives. */
function describeItself(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (value instanceof Error) return value.message
  const method: unknown = Reflect.get(value, 'String')
  return typeof method === 'function' ? String(Reflect.apply(method, value, [])) : undefined
}

function fieldsOf(value: object): [string, unknown][] {
  return Object.entries(value).filter(([name, field]) => /^\p{Lu}/u.test(name) && typeof field !== 'function')
}

/** Go's `fmt.Sprintf`, with its complaints in the text (`%!d(string=x)`, `%!d(MISSING)`, `%!(EXTRA int=1)`). */
export function sprintf(format: string, values: readonly unknown[]): string {
  return new Formatter(format, values).run()
}

class Formatter {
  readonly #format: string
  readonly #values: readonly unknown[]
  #at = 0
  #argument = 0
  #reordered = false
  #goodIndex = true
  #printed = ''

  constructor(format: string, values: readonly unknown[]) {
    this.#format = format
    this.#values = values
  }

  run(): string {
    const format = this.#format
    for (;;) {
      const percent = format.indexOf('%', this.#at)
      if (percent < 0) break
      this.#printed += format.slice(this.#at, percent)
      this.#at = percent + 1
      this.#directive()
    }
    this.#printed += format.slice(this.#at)
    if (!this.#reordered && this.#argument < this.#values.length) this.#printed += this.#describeExtra()
    return this.#printed
  }

  #describeExtra(): string {
    const extra = this.#values
      .slice(this.#argument)
      .map((value) => (kindOf(value) === 'nil' ? '<nil>' : `${typeNameOf(value)}=${printValue(value)}`))
    return `%!(EXTRA ${extra.join(', ')})`
  }

  #directive(): void {
    this.#goodIndex = true
    this.#reordered = false
    const directive: Directive = { ...this.#flags(), width: undefined, precision: undefined }
    let afterIndex = this.#index()
    if (this.#format[this.#at] === '*') {
      this.#at++
      const width = this.#integerArgument()
      if (width === undefined) this.#printed += '%!(BADWIDTH)'
      else if (width < 0) {
        directive.width = -width
        directive.minus = true
        directive.zero = false
      } else directive.width = width
      afterIndex = false
    } else {
      directive.width = this.#digits()
      if (afterIndex && directive.width !== undefined) this.#goodIndex = false
    }
    if (this.#format[this.#at] === '.') {
      this.#at++
      if (afterIndex) this.#goodIndex = false
      afterIndex = this.#index()
      if (this.#format[this.#at] === '*') {
        this.#at++
        const precision = this.#integerArgument()
        if (precision === undefined) this.#printed += '%!(BADPREC)'
        else directive.precision = precision < 0 ? undefined : precision
        afterIndex = false
      } else directive.precision = this.#digits() ?? 0
    }
    if (!afterIndex) this.#index()
    this.#verb(directive)
  }

  #verb(directive: Directive): void {
    const code = this.#format.codePointAt(this.#at)
    if (code === undefined) {
      this.#printed += '%!(NOVERB)'
      return
    }
    const verb = String.fromCodePoint(code)
    this.#at += verb.length
    if (verb === '%') this.#printed += '%'
    else if (!this.#goodIndex) this.#printed += `%!${verb}(BADINDEX)`
    else if (this.#argument >= this.#values.length) this.#printed += `%!${verb}(MISSING)`
    else this.#printed += formatValue(this.#values[this.#argument++], verb, directive)
  }

  #flags(): Flags {
    const flags: Flags = { plus: false, minus: false, space: false, sharp: false, zero: false }
    for (; ; this.#at++) {
      switch (this.#format[this.#at]) {
        case '#':
          flags.sharp = true
          break
        case '0':
          flags.zero = true
          break
        case '+':
          flags.plus = true
          break
        case '-':
          flags.minus = true
          break
        case ' ':
          flags.space = true
          break
        default:
          return flags
      }
    }
  }

  #digits(): number | undefined {
    const match = /[0-9]+/y
    match.lastIndex = this.#at
    const found = match.exec(this.#format)
    if (found === null) return undefined
    this.#at = match.lastIndex
    const value = Number(found[0])
    return value > widthMax ? undefined : value
  }

  /** `[3]` before a verb, a width or a precision: which operand comes next, counted from 1. */
  #index(): boolean {
    if (this.#format[this.#at] !== '[') return false
    this.#reordered = true
    const close = this.#format.indexOf(']', this.#at)
    const text = close < 0 ? '' : this.#format.slice(this.#at + 1, close)
    this.#at = close < 0 ? this.#at + 1 : close + 1
    const index = /^[0-9]+$/.test(text) ? Number(text) : 0
    if (index < 1 || index > this.#values.length) this.#goodIndex = false
    else this.#argument = index - 1
    return true
  }

  #integerArgument(): number | undefined {
    const value = this.#values[this.#argument]
    if (this.#argument < this.#values.length) this.#argument++
    if (typeof value !== 'bigint' || value > widthMax || value < -widthMax) return undefined
    return Number(value)
  }
}

/** One operand under one verb. */
export function formatValue(value: unknown, verb: string, directive: Directive, depth = 0): string {
  if (verb === 'T') return formatText(typeNameOf(value), 's', directive)
  // `%+v` names the fields of structs and signs no numbers.
  if (verb === 'v' && directive.plus) return formatValue(value, 'v', { ...directive, plus: false, named: true }, depth)
  const kind = kindOf(value)
  if (kind === 'nil') return depth > 0 || verb === 'v' ? pad('<nil>', directive) : `%!${verb}(<nil>)`
  if (depth > depthMax) return '...'
  if (kind !== 'string' && 'vsxXq'.includes(verb)) {
    const described = describeItself(value)
    if (described !== undefined) return formatText(described, verb === 'v' ? 's' : verb, directive)
  }
  switch (kind) {
    case 'bool':
      return verb === 't' || verb === 'v' ? pad(String(value), directive) : complain(value, verb, directive)
    case 'int':
      return formatNumber(integerOf(value), verb, directive) ?? complain(value, verb, directive)
    case 'float':
      return formatNumber(value as number, verb, directive) ?? complain(value, verb, directive)
    case 'string':
      return 'vsxXq'.includes(verb)
        ? formatText(value as string, verb === 'v' && directive.sharp ? 'q' : verb, directive)
        : complain(value, verb, directive)
    case 'slice': {
      const elements = value as unknown[]
      return `[${elements.map((element) => formatValue(element, verb, directive, depth + 1)).join(' ')}]`
    }
    case 'map': {
      const entries = sortedEntries(value)
      const printed = entries.map(
        ([key, element]) => `${formatValue(key, verb, directive)}:${formatValue(element, verb, directive, depth + 1)}`,
      )
      return `map[${printed.join(' ')}]`
    }
    case 'func':
      return complain(value, verb, directive)
    default: {
      const fields = fieldsOf(value as object)
      const printed = fields.map(
        ([name, field]) => (directive.named === true ? name + ':' : '') + formatValue(field, verb, directive, depth + 1),
      )
      return `{${printed.join(' ')}}`
    }
  }
}

function complain(value: unknown, verb: string, directive: Directive): string {
  return `%!${verb}(${typeNameOf(value)}=${kindOf(value) === 'func' ? 'func' : formatValue(value, 'v', directive)})`
}

function formatText(text: string, verb: string, directive: Directive): string {
  let cut = text
  if (directive.precision !== undefined) cut = [...text].slice(0, directive.precision).join('')
  switch (verb) {
    case 'x':
    case 'X': {
      // Here the precision counts bytes.
      const bytes = Buffer.from(text).subarray(0, directive.precision)
      const prefix = directive.sharp && bytes.length > 0 ? '0x' : ''
      const digits = bytes.toString('hex')
      // `% x` parts the bytes, and then each one has its prefix.
      const hex = directive.space ? digits.replace(/..(?!$)/g, `$& ${prefix}`) : digits
      const cased = prefix + hex
      return pad(verb === 'X' ? cased.toUpperCase() : cased, directive)
    }
    case 'q':
      return pad(directive.sharp && !/[`\n\r]/.test(cut) ? '`' + cut + '`' : quoteText(cut), directive)
    default:
      return pad(cut, directive)
  }
}
