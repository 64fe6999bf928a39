import { quoteText } from '@narthex/model/quote'
import type { NumberLiteral } from './go-number-literal.ts'

/** Every node knows where in the template it begins (UTF-16 units) and which template's source that is. */
interface Place {
  readonly at: number
}

export interface TextNode extends Place {
  readonly kind: 'text'
  readonly text: string
}

export interface ActionNode extends Place {
  readonly kind: 'action'
  readonly pipe: PipeNode
}

/** `if`, `with` or `range`; `else if` is an `if` alone in the else list. */
export interface BranchNode extends Place {
  readonly kind: 'if' | 'with' | 'range'
  readonly pipe: PipeNode
  readonly list: ListNode
  readonly elseList: ListNode | undefined
}

export interface TemplateNode extends Place {
  readonly kind: 'template'
  readonly name: string
  readonly pipe: PipeNode | undefined
}

export interface JumpNode extends Place {
  readonly kind: 'break' | 'continue'
}

export interface ListNode extends Place {
  readonly kind: 'list'
  readonly nodes: readonly StatementNode[]
}

export type StatementNode = TextNode | ActionNode | BranchNode | TemplateNode | JumpNode

/** `$a, $b := command | command`; as an argument it stands in parentheses. */
export interface PipeNode extends Place {
  readonly kind: 'pipe'
  readonly variables: readonly VariableNode[]
  /** `=` instead of `:=`. */
  readonly isAssignment: boolean
  readonly commands: readonly CommandNode[]
}

export interface CommandNode extends Place {
  readonly kind: 'command'
  readonly terms: readonly TermNode[]
}

export interface FieldNode extends Place {
  readonly kind: 'field'
  readonly names: readonly string[]
}

/** `$x.Field.Field`: the first name is the variable's, with its `$`. */
export interface VariableNode extends Place {
  readonly kind: 'variable'
  readonly names: readonly string[]
}

/** Fields of something else than dot or a variable: `(pipe).Field`. */
export interface ChainNode extends Place {
  readonly kind: 'chain'
  readonly term: TermNode
  readonly names: readonly string[]
}

export interface IdentifierNode extends Place {
  readonly kind: 'identifier'
  readonly name: string
}

export interface NumberNode extends Place {
  readonly kind: 'number'
  readonly number: NumberLiteral
}

export interface StringNode extends Place {
  readonly kind: 'string'
  /** As written, with its quotes. */
  readonly literal: string
  readonly value: string
}

export interface BoolNode extends Place {
  readonly kind: 'bool'
  readonly value: boolean
}

export interface PlainNode extends Place {
  readonly kind: 'dot' | 'nil'
}

export type TermNode = FieldNode | VariableNode | ChainNode | IdentifierNode | NumberNode | StringNode | BoolNode | PlainNode | PipeNode

export type AnyNode = StatementNode | ListNode | CommandNode | TermNode

/** A node in the template language again, as messages quote it. */
export function describeNode(node: AnyNode): string {
  switch (node.kind) {
    case 'text':
      return node.text
    case 'action':
      return `{{${describeNode(node.pipe)}}}`
    case 'if':
    case 'with':
    case 'range':
      return describeBranch(node)
    case 'template':
      return `{{template ${quoteText(node.name)}${node.pipe === undefined ? '' : ' ' + describeNode(node.pipe)}}}`
    case 'break':
    case 'continue':
      return `{{${node.kind}}}`
    case 'list':
      return node.nodes.map(describeNode).join('')
    case 'pipe':
      return describePipe(node)
    case 'command':
      return node.terms.map((term) => (term.kind === 'pipe' ? `(${describeNode(term)})` : describeNode(term))).join(' ')
    default:
      return describeTerm(node)
  }
}

function describeTerm(node: Exclude<TermNode, PipeNode>): string {
  switch (node.kind) {
    case 'field':
      return node.names.map((name) => '.' + name).join('')
    case 'variable':
      return node.names.join('.')
    case 'chain':
      return [node.term.kind === 'pipe' ? `(${describeNode(node.term)})` : describeNode(node.term), ...node.names].join('.')
    case 'identifier':
      return node.name
    case 'number':
      return node.number.text
    case 'string':
      return node.literal
    case 'bool':
      return String(node.value)
    case 'dot':
      return '.'
    case 'nil':
      return 'nil'
  }
}

function describePipe(node: PipeNode): string {
  const variables = node.variables.map(describeNode).join(', ')
  const assignment = variables === '' ? '' : variables + (node.isAssignment ? ' = ' : ' := ')
  return assignment + node.commands.map(describeNode).join(' | ')
}

function describeBranch(node: BranchNode): string {
  const otherwise = node.elseList === undefined ? '' : `{{else}}${describeNode(node.elseList)}`
  return `{{${node.kind} ${describeNode(node.pipe)}}}${describeNode(node.list)}${otherwise}{{end}}`
}
