import { parseGoFloat } from '@narthex/model/number'
import { quoteText } from '@narthex/model/quote'
import { parseNumberLiteral } from './go-number-literal.ts'
import { unquote } from './go-unquote.ts'
import { describeToken, lexTemplate } from './lex.ts'
import type { Token, TokenKind } from './lex.ts'
import { describeNode } from './node.ts'
import type {
  BranchNode,
  CommandNode,
  ListNode,
  NumberNode,
  PipeNode,
  StatementNode,
  StringNode,
  TemplateNode,
  TermNode,
  VariableNode,
} from './node.ts'
import { TemplateError } from './template-error.ts'

/** One body of a template set: the text itself, a `define` or a `block`. */
export interface Definition {
  readonly name: string
  readonly list: ListNode
  /** The name and text of the source that it stands in, for positions. */
  readonly sourceName: string
  readonly source: string
}

/** Groups, actions and branches within each other; real templates need a handful. */
const nestingMax = 100

const termKinds: readonly TokenKind[] = [
  'bool',
  'character',
  'dot',
  'field',
  'identifier',
  'number',
  'nil',
  'raw-string',
  'string',
  'variable',
  'left-paren',
]

/**
 * Reads one source: what it defines, and its own body under its name. `hasFunction` says which functions there are.
 * Throws `TemplateError` with Go's text, `template: NAME:LINE: …`.
 */
export function parseSource(name: string, source: string, hasFunction: (name: string) => boolean): Definition[] {
  return new Parser(name, source, hasFunction).parse()
}

/** A quote and one whole character or escape. */
const beginsWithCharacter = /^'(?:[^\\']|\\(?:[abfnrtv\\']|x[0-9a-fA-F]{2}|[0-7]{3}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}))/

/** Whether a body is nothing but space. */
export function isEmptyList(list: ListNode): boolean {
  return list.nodes.every((node) => node.kind === 'text' && node.text.trim() === '')
}

type ListEnd = 'end' | 'else'

class Parser {
  readonly #name: string
  readonly #source: string
  readonly #hasFunction: (name: string) => boolean
  readonly #tokens: readonly Token[]
  readonly #definitions = new Map<string, Definition>()
  #next = 0
  /** The furthest token looked at: the one whose line a message names. */
  #furthest = 0
  #actionLine = 0
  #rangeDepth = 0
  #nesting = 0
  #variables = ['$']

  constructor(name: string, source: string, hasFunction: (name: string) => boolean) {
    this.#name = name
    this.#source = source
    this.#hasFunction = hasFunction
    this.#tokens = lexTemplate(source)
  }

  parse(): Definition[] {
    const nodes: StatementNode[] = []
    while (this.#peek().kind !== 'eof') {
      if (this.#isDefinition()) {
        this.#definition()
        continue
      }
      const node = this.#textOrAction()
      if (typeof node === 'string') this.#fail(`unexpected {{${node}}}`)
      nodes.push(node)
    }
    this.#define(this.#name, { kind: 'list', at: 0, nodes })
    return [...this.#definitions.values()]
  }

  /** A body of nothing but space gives way to another of its name, wherever it stands; two others clash. */
  #define(name: string, list: ListNode): void {
    const known = this.#definitions.get(name)
    if (known !== undefined && !isEmptyList(known.list)) {
      if (!isEmptyList(list)) this.#fail(`template: multiple definition of template ${quoteText(name)}`)
      return
    }
    this.#definitions.set(name, { name, list, sourceName: this.#name, source: this.#source })
  }

  #isDefinition(): boolean {
    if (this.#peek().kind !== 'left-delimiter') return false
    const after = this.#tokens[this.#next + 1]
    const word = after?.kind === 'space' ? this.#tokens[this.#next + 2] : after
    return word?.kind === 'keyword' && word.text === 'define'
  }

  #definition(): void {
    const context = 'define clause'
    this.#take()
    this.#takeNonSpace()
    const name = this.#templateName(context)
    const close = this.#takeNonSpace()
    if (close.kind !== 'right-delimiter') this.#unexpected(close, context)
    this.#define(name, this.#body(context))
  }

  /** The list of a `define` or `block`, which sees none of the variables around it. */
  #body(context: string): ListNode {
    const { outer, depth } = { outer: this.#variables, depth: this.#rangeDepth }
    this.#variables = ['$']
    this.#rangeDepth = 0
    const { list, end } = this.#list()
    if (end !== 'end') this.#fail(`unexpected {{${end}}} in ${context}`)
    this.#variables = outer
    this.#rangeDepth = depth
    return list
  }

  #list(): { list: ListNode; end: ListEnd } {
    const nodes: StatementNode[] = []
    const { at } = this.#peekNonSpace()
    while (this.#peekNonSpace().kind !== 'eof') {
      const node = this.#textOrAction()
      if (typeof node === 'string') return { list: { kind: 'list', at, nodes }, end: node }
      nodes.push(node)
    }
    this.#fail('unexpected EOF')
  }

  #textOrAction(): StatementNode | ListEnd {
    const token = this.#takeNonSpace()
    if (token.kind === 'text') return { kind: 'text', at: token.at, text: token.text }
    if (token.kind !== 'left-delimiter') this.#unexpected(token, 'input')
    if (++this.#nesting > nestingMax) this.#fail(`more than ${nestingMax} levels of nesting`)
    this.#actionLine = token.line
    const node = this.#action()
    this.#actionLine = 0
    this.#nesting--
    return node
  }

  #action(): StatementNode | ListEnd {
    const token = this.#takeNonSpace()
    if (token.kind === 'keyword') {
      switch (token.text) {
        case 'if':
        case 'with':
        case 'range':
          return this.#branch(token.text, token.at)
        case 'template':
          return this.#template()
        case 'block':
          return this.#block()
        case 'break':
        case 'continue':
          return this.#jump(token.text, token.at)
        case 'end':
          this.#close('end')
          return 'end'
        case 'else':
          return this.#else()
      }
    }
    this.#back()
    const pipe = this.#pipe('command', 'right-delimiter')
    return { kind: 'action', at: token.at, pipe }
  }

  #jump(kind: 'break' | 'continue', at: number): StatementNode {
    const token = this.#takeNonSpace()
    if (token.kind !== 'right-delimiter') this.#unexpected(token, `{{${kind}}}`)
    if (this.#rangeDepth === 0) this.#fail(`{{${kind}}} outside {{range}}`)
    return { kind, at }
  }

  #else(): ListEnd {
    const token = this.#peekNonSpace()
    // `else if` and `else with`: the branch takes it from here.
    if (token.kind === 'keyword' && (token.text === 'if' || token.text === 'with')) return 'else'
    this.#close('else')
    return 'else'
  }

  #close(context: string): void {
    const token = this.#takeNonSpace()
    if (token.kind !== 'right-delimiter') this.#unexpected(token, context)
  }

  #branch(kind: BranchNode['kind'], at: number): BranchNode {
    const visible = this.#variables.length
    const pipe = this.#pipe(kind, 'right-delimiter')
    if (kind === 'range') this.#rangeDepth++
    const { list, end } = this.#list()
    if (kind === 'range') this.#rangeDepth--
    const elseList = end === 'else' ? this.#elseList(kind) : undefined
    this.#variables.length = visible
    return { kind, at, pipe, list, elseList }
  }

  /** `{{else if x}}…{{end}}` is read as `{{else}}{{if x}}…{{end}}`, its end closing both. */
  #elseList(kind: BranchNode['kind']): ListNode {
    const token = this.#peekNonSpace()
    if (token.kind === 'keyword' && (token.text === 'if' || token.text === 'with')) {
      if (token.text !== kind) this.#unexpected(token, 'input')
      if (++this.#nesting > nestingMax) this.#fail(`more than ${nestingMax} levels of nesting`)
      this.#takeNonSpace()
      const branch = this.#branch(token.text, token.at)
      this.#nesting--
      return { kind: 'list', at: token.at, nodes: [branch] }
    }
    const { list, end } = this.#list()
    if (end !== 'end') this.#fail(`expected end; found {{${end}}}`)
    return list
  }

  #template(): TemplateNode {
    const context = 'template clause'
    const { at } = this.#peekNonSpace()
    const name = this.#templateName(context)
    if (this.#peekNonSpace().kind === 'right-delimiter') {
      this.#takeNonSpace()
      return { kind: 'template', at, name, pipe: undefined }
    }
    return { kind: 'template', at, name, pipe: this.#pipe(context, 'right-delimiter') }
  }

  #block(): TemplateNode {
    const context = 'block clause'
    const { at } = this.#peekNonSpace()
    const name = this.#templateName(context)
    const pipe = this.#pipe(context, 'right-delimiter')
    this.#define(name, this.#body(context))
    return { kind: 'template', at, name, pipe }
  }

  #templateName(context: string): string {
    const token = this.#takeNonSpace()
    if (token.kind !== 'string' && token.kind !== 'raw-string') this.#unexpected(token, context)
    return this.#string(token).value
  }

  #pipe(context: string, end: 'right-delimiter' | 'right-paren'): PipeNode {
    const { at } = this.#peekNonSpace()
    const { variables, isAssignment } = this.#declarations(context)
    const commands: CommandNode[] = []
    for (;;) {
      const token = this.#takeNonSpace()
      if (token.kind === end) break
      if (!termKinds.includes(token.kind)) this.#unexpected(token, context)
      this.#back()
      commands.push(this.#command())
    }
    if (commands.length === 0) this.#fail(`missing value for ${context}`)
    for (const [i, command] of commands.entries()) {
      const first = command.terms[0]!
      if (i > 0 && ['bool', 'dot', 'nil', 'number', 'string'].includes(first.kind)) {
        this.#fail(`non executable command in pipeline stage ${i + 1}`)
      }
    }
    return { kind: 'pipe', at, variables, isAssignment, commands }
  }

  #declarations(context: string): { variables: VariableNode[]; isAssignment: boolean } {
    const variables: VariableNode[] = []
    for (;;) {
      const token = this.#peekNonSpace()
      if (token.kind !== 'variable') return { variables, isAssignment: false }
      const start = this.#next
      this.#takeNonSpace()
      const after = this.#peekNonSpace()
      const isComma = after.kind === 'punctuation' && after.text === ','
      if (!isComma && after.kind !== 'declare' && after.kind !== 'assign') {
        // An argument, not a declaration.
        this.#next = start
        return { variables, isAssignment: false }
      }
      this.#takeNonSpace()
      variables.push({ kind: 'variable', at: token.at, names: [token.text] })
      this.#variables.push(token.text)
      if (!isComma) return { variables, isAssignment: after.kind === 'assign' }
      if (context !== 'range' || variables.length >= 2) this.#fail(`too many declarations in ${context}`)
      const { kind } = this.#peekNonSpace()
      if (kind !== 'variable' && kind !== 'right-delimiter' && kind !== 'right-paren') this.#fail('range can only initialize variables')
    }
  }

  #command(): CommandNode {
    const { at } = this.#peekNonSpace()
    const terms: TermNode[] = []
    for (;;) {
      this.#skipSpace()
      const operand = this.#operand()
      if (operand !== undefined) terms.push(operand)
      const token = this.#take()
      if (token.kind === 'space') continue
      if (token.kind === 'right-delimiter' || token.kind === 'right-paren') this.#back()
      else if (token.kind !== 'pipe') this.#unexpected(token, 'operand')
      break
    }
    if (terms.length === 0) this.#fail('empty command')
    return { kind: 'command', at, terms }
  }

  #operand(): TermNode | undefined {
    const term = this.#term()
    if (term === undefined || this.#peek().kind !== 'field') return term
    const { at } = this.#peek()
    const names: string[] = []
    while (this.#peek().kind === 'field') names.push(this.#take().text.slice(1))
    switch (term.kind) {
      case 'field':
        return { kind: 'field', at, names: [...term.names, ...names] }
      case 'variable':
        return { kind: 'variable', at, names: [...term.names, ...names] }
      case 'bool':
      case 'string':
      case 'number':
      case 'nil':
      case 'dot':
        return this.#fail(`unexpected . after term ${quoteText(describeNode(term))}`)
      default:
        return { kind: 'chain', at, term, names }
    }
  }

  #term(): TermNode | undefined {
    const token = this.#takeNonSpace()
    const { at, text } = token
    switch (token.kind) {
      case 'identifier':
        if (!this.#hasFunction(text)) this.#fail(`function ${quoteText(text)} not defined`)
        return { kind: 'identifier', at, name: text }
      case 'dot':
      case 'nil':
        return { kind: token.kind, at }
      case 'variable':
        if (!this.#variables.includes(text)) this.#fail(`undefined variable ${quoteText(text)}`)
        return { kind: 'variable', at, names: [text] }
      case 'field':
        return { kind: 'field', at, names: [text.slice(1)] }
      case 'bool':
        return { kind: 'bool', at, value: text === 'true' }
      case 'number':
      case 'character':
        return this.#number(token)
      case 'left-paren': {
        if (++this.#nesting > nestingMax) this.#fail(`more than ${nestingMax} levels of nesting`)
        const pipe = this.#pipe('parenthesized pipeline', 'right-paren')
        this.#nesting--
        return pipe
      }
      case 'string':
      case 'raw-string':
        return this.#string(token)
      default:
        this.#back()
        return undefined
    }
  }

  #number({ at, text, kind }: Token): NumberNode {
    const number = parseNumberLiteral(text)
    if (number === undefined) {
      if (kind === 'character') this.#fail(beginsWithCharacter.test(text) ? `malformed character constant: ${text}` : 'invalid syntax')
      const isWhole = !/[.eEpP]/.test(text) && parseGoFloat(text) !== undefined
      this.#fail(`${isWhole ? 'integer overflow' : 'illegal number syntax'}: ${quoteText(text)}`)
    }
    return { kind: 'number', at, number }
  }

  #string({ at, text }: Token): StringNode {
    const value = unquote(text)
    if (value === undefined) this.#fail('invalid syntax')
    return { kind: 'string', at, literal: text, value }
  }

  #peek(): Token {
    // The last token, 'eof' or 'error', never ends.
    const at = Math.min(this.#next, this.#tokens.length - 1)
    this.#furthest = Math.max(this.#furthest, at)
    return this.#tokens[at]!
  }

  #take(): Token {
    const token = this.#peek()
    this.#next++
    return token
  }

  #skipSpace(): void {
    while (this.#peek().kind === 'space') this.#take()
  }

  #peekNonSpace(): Token {
    this.#skipSpace()
    return this.#peek()
  }

  #takeNonSpace(): Token {
    this.#skipSpace()
    return this.#take()
  }

  /** Undoes the last take. */
  #back(): void {
    this.#next--
  }

  #unexpected(token: Token, context: string): never {
    if (token.kind !== 'error') this.#fail(`unexpected ${describeToken(token)} in ${context}`)
    let where = ''
    if (this.#actionLine !== 0 && this.#actionLine !== token.line) {
      where = ` in action started at ${this.#name}:${this.#actionLine}`
      // "unclosed action started at …", not "action in action"
      if (token.text.endsWith(' action')) where = where.slice(' in action'.length)
    }
    this.#fail(token.text + where)
  }

  #fail(message: string): never {
    throw new TemplateError(`template: ${this.#name}:${this.#tokens[this.#furthest]!.line}: ${message}`)
  }
}
