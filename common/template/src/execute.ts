import { quoteText } from '@narthex/model/quote'
import { builtinFunctions } from './builtins.ts'
import { printValue } from './go-print.ts'
import { fitsInt } from './go-number-literal.ts'
import { describeNode } from './node.ts'
import type {
  ActionNode,
  AnyNode,
  BranchNode,
  CommandNode,
  IdentifierNode,
  ListNode,
  NumberNode,
  PipeNode,
  StatementNode,
  TemplateNode,
  TermNode,
} from './node.ts'
import type { Definition } from './parse.ts'
import { PassedError, TemplateError, TemplateLimitError } from './template-error.ts'
import { anyType, integerOf, isTemplateFunction, isTrue, kindOf, lookUp, parameterOf, sortedEntries, typeNameOf } from './value.ts'
import type { FunctionMap, ParameterType, TemplateFunction } from './value.ts'

/** Bounds of one run. */
export interface ExecutionLimits {
  /** UTF-16 units of output; 1 Mi unless given. */
  readonly outputUnitsMax?: number
  /** Nodes walked, plus one for every 64 units of text that functions make; 1,000,000 unless given. */
  readonly stepsMax?: number
  /** Templates within each other; 500 unless given. */
  readonly depthMax?: number
}

/** No value comes down the pipeline; not the same as nil. */
const absent = Symbol('absent')

type Flow = 'on' | 'break' | 'continue'

/** One run of one template. */
export class Execution {
  readonly #definitions: ReadonlyMap<string, Definition>
  readonly #functions: FunctionMap
  readonly #outputUnitsMax: number
  readonly #stepsMax: number
  readonly #depthMax: number
  #output = ''
  #steps = 0
  #depth = 0
  #definition!: Definition
  /** What is being evaluated, for messages. */
  #node: AnyNode | undefined
  #names: string[] = []
  #values: unknown[] = []

  constructor(definitions: ReadonlyMap<string, Definition>, functions: FunctionMap, limits: ExecutionLimits) {
    this.#definitions = definitions
    this.#functions = functions
    this.#outputUnitsMax = limits.outputUnitsMax ?? 1 << 20
    this.#stepsMax = limits.stepsMax ?? 1_000_000
    this.#depthMax = limits.depthMax ?? 500
  }

  run(definition: Definition, data: unknown): string {
    this.#definition = definition
    this.#push('$', data)
    this.#walkList(data, definition.list)
    return this.#output
  }

  // Statements

  #walkList(dot: unknown, list: ListNode): Flow {
    for (const node of list.nodes) {
      const flow = this.#walk(dot, node)
      if (flow !== 'on') return flow
    }
    return 'on'
  }

  #walk(dot: unknown, node: StatementNode): Flow {
    this.#enter(node)
    switch (node.kind) {
      case 'text':
        this.#write(node.text)
        return 'on'
      case 'action':
        this.#walkAction(dot, node)
        return 'on'
      case 'if':
      case 'with':
        return this.#walkCondition(dot, node)
      case 'range':
        return this.#walkRange(dot, node)
      case 'template':
        this.#walkTemplate(dot, node)
        return 'on'
      case 'break':
      case 'continue':
        return node.kind
    }
  }

  #walkAction(dot: unknown, node: ActionNode): void {
    const value = this.#pipe(dot, node.pipe)
    // An action that sets variables prints nothing.
    if (node.pipe.variables.length > 0) return
    this.#node = node
    if (kindOf(value) === 'func') this.#fail(`can't print ${describeNode(node)} of type ${typeNameOf(value)}`)
    this.#write(kindOf(value) === 'nil' ? '<no value>' : this.#print(value))
  }

  #walkCondition(dot: unknown, node: BranchNode): Flow {
    const mark = this.#names.length
    const value = this.#pipe(dot, node.pipe)
    let flow: Flow = 'on'
    if (isTrue(value)) flow = this.#walkList(node.kind === 'with' ? value : dot, node.list)
    else if (node.elseList !== undefined) flow = this.#walkList(dot, node.elseList)
    this.#pop(mark)
    return flow
  }

  #walkRange(dot: unknown, node: BranchNode): Flow {
    const outer = this.#names.length
    const value = this.#pipe(dot, node.pipe)
    const mark = this.#names.length
    let count = 0
    let flow: Flow = 'on'
    for (const [key, element] of this.#entriesOf(value, node)) {
      count++
      this.#spend(1)
      this.#setRangeVariables(node.pipe, key, element, mark)
      flow = this.#walkList(element, node.list)
      this.#pop(mark)
      if (flow === 'break') break
    }
    flow = 'on'
    if (count === 0 && node.elseList !== undefined) flow = this.#walkList(dot, node.elseList)
    this.#pop(outer)
    return flow
  }

  *#entriesOf(value: unknown, node: BranchNode): Generator<readonly [unknown, unknown]> {
    switch (kindOf(value)) {
      case 'nil':
        return
      case 'slice': {
        const elements = value as unknown[]
        for (let i = 0; i < elements.length; i++) yield [BigInt(i), elements[i]]
        return
      }
      case 'map':
        yield* sortedEntries(value)
        return
      case 'int': {
        if (node.pipe.variables.length > 1) this.#fail(`can't use ${printValue(value)} to iterate over more than one variable`)
        const end = integerOf(value)
        for (let i = 0n; i < end; i++) yield [i, i]
        return
      }
      default:
        this.#fail(`range can't iterate over ${printValue(value)}`)
    }
  }

  /** With two variables the first is the index or key; a single one is the element. */
  #setRangeVariables(pipe: PipeNode, key: unknown, element: unknown, mark: number): void {
    const { variables, isAssignment } = pipe
    if (variables.length === 0) return
    const values = variables.length === 1 ? [element] : [key, element]
    for (const [i, variable] of variables.entries()) {
      if (isAssignment) this.#assign(variable.names[0]!, values[i])
      else this.#values[mark - variables.length + i] = values[i]
    }
  }

  #walkTemplate(dot: unknown, node: TemplateNode): void {
    const definition = this.#definitions.get(node.name)
    if (definition === undefined) this.#fail(`template ${quoteText(node.name)} not defined`)
    if (this.#depth === this.#depthMax) this.#limit(`exceeded maximum template depth (${this.#depthMax})`)
    const data = node.pipe === undefined ? undefined : this.#pipe(dot, node.pipe)
    // The called template sees its own `$` only.
    const saved = { definition: this.#definition, names: this.#names, values: this.#values }
    this.#definition = definition
    this.#names = ['$']
    this.#values = [data]
    this.#depth++
    this.#walkList(data, definition.list)
    this.#depth--
    this.#definition = saved.definition
    this.#names = saved.names
    this.#values = saved.values
  }

  // Variables

  #push(name: string, value: unknown): void {
    this.#names.push(name)
    this.#values.push(value)
  }

  #pop(mark: number): void {
    this.#names.length = mark
    this.#values.length = mark
  }

  #assign(name: string, value: unknown): void {
    this.#values[this.#find(name)] = value
  }

  #find(name: string): number {
    const at = this.#names.lastIndexOf(name)
    if (at < 0) this.#fail(`undefined variable: ${name}`)
    return at
  }

  // Pipelines

  #pipe(dot: unknown, pipe: PipeNode): unknown {
    this.#enter(pipe)
    let value: unknown = absent
    for (const command of pipe.commands) value = this.#command(dot, command, value) ?? undefined
    for (const variable of pipe.variables) {
      if (pipe.isAssignment) this.#assign(variable.names[0]!, value)
      else this.#push(variable.names[0]!, value)
    }
    return value
  }

  #command(dot: unknown, command: CommandNode, final: unknown): unknown {
    const { terms } = command
    const first = terms[0]!
    switch (first.kind) {
      case 'field':
      case 'chain':
      case 'variable':
        return this.#fields(dot, first, terms, final)
      case 'identifier':
        return this.#function(dot, first, command, terms, final)
      case 'pipe':
        this.#refuseArguments(first, terms, final)
        return this.#pipe(dot, first)
    }
    this.#enter(first)
    this.#refuseArguments(first, terms, final)
    switch (first.kind) {
      case 'bool':
      case 'string':
        return first.value
      case 'dot':
        return dot
      case 'number':
        return this.#constant(first)
      case 'nil':
        this.#fail('nil is not a command')
    }
  }

  #refuseArguments(node: TermNode, terms: readonly TermNode[], final: unknown): void {
    if (terms.length > 1 || final !== absent) this.#fail(`can't give argument to non-function ${describeNode(node)}`)
  }

  /** A number without a wanted type: a float if it is written as one, else an int. */
  #constant(node: NumberNode): unknown {
    const { number } = node
    if (number.looksFloat) return number.float
    if (number.integer === undefined || !fitsInt(number.integer)) this.#fail(`${number.text} overflows int`)
    return number.integer
  }

  // Fields

  #fields(dot: unknown, node: TermNode & { kind: 'field' | 'chain' | 'variable' }, terms: readonly TermNode[], final: unknown): unknown {
    this.#enter(node)
    if (node.kind === 'variable') {
      const value = this.#values[this.#find(node.names[0]!)]
      if (node.names.length > 1) return this.#fieldChain(dot, value, node, node.names.slice(1), terms, final)
      this.#refuseArguments(node, terms, final)
      return value
    }
    if (node.kind === 'field') return this.#fieldChain(dot, dot, node, node.names, terms, final)
    if (node.term.kind === 'nil') this.#fail(`indirection through explicit nil in ${describeNode(node)}`)
    return this.#fieldChain(dot, this.#argument(dot, anyType, node.term), node, node.names, terms, final)
  }

  #fieldChain(dot: unknown, start: unknown, node: TermNode, names: readonly string[], terms: readonly TermNode[], final: unknown): unknown {
    let receiver = start
    for (const name of names.slice(0, -1)) receiver = this.#field(dot, name, node, [], absent, receiver)
    return this.#field(dot, names.at(-1)!, node, terms, final, receiver)
  }

  #field(dot: unknown, name: string, node: TermNode, terms: readonly TermNode[], final: unknown, receiver: unknown): unknown {
    if (receiver === undefined) return undefined
    if (receiver === null) this.#fail(`nil pointer evaluating interface {}.${name}`)
    const property = readProperty(receiver, name)
    if (typeof property === 'function')
      return this.#method(dot, receiver, property as (...values: unknown[]) => unknown, name, node, terms, final)
    const hasArguments = terms.length > 1 || final !== absent
    if (kindOf(receiver) === 'map') {
      if (hasArguments) this.#fail(`${name} is not a method but has arguments`)
      return lookUp(receiver, name) ?? null
    }
    if (property === undefined && !hasProperty(receiver, name)) this.#fail(`can't evaluate field ${name} in type ${typeNameOf(receiver)}`)
    if (hasArguments) this.#fail(`${name} has arguments but cannot be invoked as function`)
    return property ?? null
  }

  #method(
    dot: unknown,
    receiver: unknown,
    method: (...values: unknown[]) => unknown,
    name: string,
    node: TermNode,
    terms: readonly TermNode[],
    final: unknown,
  ): unknown {
    const given = Math.max(terms.length - 1, 0) + (final === absent ? 0 : 1)
    if (given !== method.length) this.#fail(`wrong number of args for ${name}: want ${method.length} got ${given}`)
    const values = terms.slice(1).map((term, i) => this.#argument(dot, parameterOf(receiver, name, i), term))
    if (final !== absent) values.push(this.#checkType(final, parameterOf(receiver, name, given - 1)))
    return this.#call(node, name, () => Reflect.apply(method, receiver, values) as unknown)
  }

  // Functions

  #function(dot: unknown, node: IdentifierNode, at: AnyNode, terms: readonly TermNode[], final: unknown): unknown {
    this.#enter(node)
    const { name } = node
    if (Object.hasOwn(this.#functions, name)) return this.#apply(dot, this.#functions[name]!, name, at, terms.slice(1), final)
    if (name === 'and' || name === 'or') return this.#shortCircuit(dot, name, at, terms.slice(1), final)
    if (name === 'call') return this.#callValue(dot, at, terms.slice(1), final)
    if (!Object.hasOwn(builtinFunctions, name)) this.#fail(`${quoteText(name)} is not a defined function`)
    return this.#apply(dot, builtinFunctions[name]!, name, at, terms.slice(1), final)
  }

  #apply(dot: unknown, applied: TemplateFunction, name: string, at: AnyNode, terms: readonly TermNode[], final: unknown): unknown {
    const { parameters, variadic } = applied
    const given = terms.length + (final === absent ? 0 : 1)
    if (variadic === undefined ? given !== parameters.length : given < parameters.length) {
      const wanted = variadic === undefined ? String(parameters.length) : `at least ${parameters.length}`
      this.#fail(`wrong number of args for ${name}: want ${wanted} got ${variadic === undefined ? given : terms.length}`)
    }
    const values = terms.map((term, i) => this.#argument(dot, parameters[i] ?? variadic!, term))
    if (final !== absent) values.push(this.#checkType(final, parameters[given - 1] ?? variadic!))
    return this.#call(at, name, () => (applied.call as (...values: unknown[]) => unknown)(...values))
  }

  /** `and` and `or` evaluate their arguments only until one decides. */
  #shortCircuit(dot: unknown, name: 'and' | 'or', at: AnyNode, terms: readonly TermNode[], final: unknown): unknown {
    if (terms.length === 0 && final === absent) {
      this.#node = at
      this.#fail(`wrong number of args for ${name}: want at least 1 got 0`)
    }
    let value: unknown
    for (const term of terms) {
      value = this.#argument(dot, anyType, term)
      if (isTrue(value) === (name === 'or')) return value
    }
    return final === absent ? value : final
  }

  /** `call f a b` calls a value that is a function. */
  #callValue(dot: unknown, at: AnyNode, terms: readonly TermNode[], final: unknown): unknown {
    const values = terms.map((term) => this.#argument(dot, anyType, term))
    if (final !== absent) values.push(final)
    if (values.length === 0) this.#fail('wrong number of args for call: want at least 1 got 0')
    const [called, ...rest] = values
    const written = terms[0] === undefined ? '' : describeNode(terms[0])
    return this.#call(at, 'call', () => {
      if (kindOf(called) === 'nil') throw new Error('call of nil')
      if (!isTemplateFunction(called)) throw new Error(`non-function ${written} of type ${typeNameOf(called)}`)
      const { parameters, variadic } = called
      if (variadic === undefined ? rest.length !== parameters.length : rest.length < parameters.length) {
        const wanted = variadic === undefined ? String(parameters.length) : `at least ${parameters.length}`
        throw new Error(`wrong number of args for ${written}: got ${rest.length} want ${wanted}`)
      }
      for (const [i, value] of rest.entries()) {
        const type = parameters[i] ?? variadic!
        if (kindOf(value) !== 'nil' && !type.accepts(value))
          throw new Error(`arg ${i}: value has type ${typeNameOf(value)}; should be ${type.name}`)
        if (kindOf(value) === 'nil' && type.isNilable !== true) throw new Error(`arg ${i}: value is nil; should be of type ${type.name}`)
      }
      return (called.call as (...values: unknown[]) => unknown)(...rest)
    })
  }

  #call(at: AnyNode, name: string, run: () => unknown): unknown {
    let result: unknown
    try {
      result = run()
    } catch (error) {
      if (error instanceof PassedError || error instanceof TemplateLimitError) throw error
      this.#node = at
      this.#fail(`error calling ${name}: ${error instanceof Error ? error.message : String(error)}`, error)
    }
    if (typeof result === 'string') this.#spend(result.length >> 6)
    return result
  }

  // Arguments

  #argument(dot: unknown, type: ParameterType, node: TermNode): unknown {
    this.#enter(node)
    switch (node.kind) {
      case 'dot':
        return this.#checkType(dot, type)
      case 'nil':
        if (type.isNilable !== true) this.#fail(`cannot assign nil to ${type.name}`)
        return null
      case 'field':
      case 'variable':
      case 'chain':
        return this.#checkType(this.#fields(dot, node, [node], absent), type)
      case 'pipe':
        return this.#checkType(this.#pipe(dot, node), type)
      case 'identifier':
        return this.#checkType(this.#function(dot, node, node, [node], absent), type)
      default:
        return this.#literal(type, node)
    }
  }

  /** Literals take the type that is wanted, if they can. */
  #literal(type: ParameterType, node: TermNode & { kind: 'bool' | 'string' | 'number' }): unknown {
    if (type.name === 'interface {}') return node.kind === 'number' ? this.#constant(node) : node.value
    if (type.accepts(true)) return node.kind === 'bool' ? node.value : this.#fail(`expected bool; found ${describeNode(node)}`)
    if (type.accepts('')) return node.kind === 'string' ? node.value : this.#fail(`expected string; found ${describeNode(node)}`)
    if (type.accepts(0n)) {
      return node.kind === 'number' && node.number.integer !== undefined
        ? node.number.integer
        : this.#fail(`expected integer; found ${describeNode(node)}`)
    }
    if (type.accepts(0)) {
      return node.kind === 'number' && node.number.float !== undefined
        ? node.number.float
        : this.#fail(`expected float; found ${describeNode(node)}`)
    }
    return this.#fail(`can't handle ${describeNode(node)} for arg of type ${type.name}`)
  }

  #checkType(value: unknown, type: ParameterType): unknown {
    if (kindOf(value) === 'nil') {
      if (type.isNilable !== true) this.#fail(`invalid value; expected ${type.name}`)
      return null
    }
    if (!type.accepts(value)) this.#fail(`wrong type for value; expected ${type.name}; got ${typeNameOf(value)}`)
    return value
  }

  // Output, bounds, messages

  #print(value: unknown): string {
    return typeof value === 'string' ? value : printValue(value)
  }

  #write(text: string): void {
    if (this.#output.length + text.length > this.#outputUnitsMax) this.#limit(`output exceeds ${this.#outputUnitsMax} characters`)
    this.#output += text
  }

  #enter(node: AnyNode): void {
    this.#node = node
    this.#spend(1)
  }

  #spend(steps: number): void {
    this.#steps += steps
    if (this.#steps > this.#stepsMax) this.#limit(`more than ${this.#stepsMax} steps`)
  }

  #limit(message: string): never {
    throw new TemplateLimitError(this.#describe(message))
  }

  #fail(message: string, cause?: unknown): never {
    throw new TemplateError(this.#describe(message), cause === undefined ? undefined : { cause })
  }

  #describe(message: string): string {
    const { name, sourceName, source } = this.#definition
    if (this.#node === undefined) return `template: ${name}: ${message}`
    const before = source.slice(0, this.#node.at)
    const lineStart = before.lastIndexOf('\n') + 1
    const line = before.split('\n').length
    // Go counts columns in bytes, from 0.
    const column = new TextEncoder().encode(before.slice(lineStart)).length
    return `template: ${sourceName}:${line}:${column}: executing ${quoteText(name)} at <${describeNode(this.#node)}>: ${message}`
  }
}

/** Only names that begin with a capital are open to templates: no name that JavaScript itself defines does. */
function readProperty(receiver: unknown, name: string): unknown {
  return hasProperty(receiver, name) ? (Reflect.get(receiver, name) as unknown) : undefined
}

function hasProperty(receiver: unknown, name: string): receiver is object {
  return typeof receiver === 'object' && receiver !== null && /^\p{Lu}/u.test(name) && Reflect.has(receiver, name)
}
