import { builtinFunctions, specialFunctions } from './builtins.ts'
import { Execution } from './execute.ts'
import type { ExecutionLimits } from './execute.ts'
import { isEmptyList, parseSource } from './parse.ts'
import type { Definition } from './parse.ts'
import { TemplateError } from './template-error.ts'
import type { FunctionMap } from './value.ts'

export type { ExecutionLimits } from './execute.ts'

/** A parsed template with everything that it and its predecessors define; immutable. */
export interface Template {
  readonly name: string
  readonly definitions: ReadonlyMap<string, Definition>
}

/**
 * Reads a template of Go's text/template. `functions` are the names it may call besides the built-in ones; the same, or others of the
 * same names, are given again to run it. With `base`, the definitions of that template can be used and redefined.
 * Throws `TemplateError`: `template: NAME:LINE: …`.
 */
export function parseTemplate(name: string, text: string, functions: FunctionMap, base?: Template): Template {
  const hasFunction = (candidate: string) =>
    specialFunctions.includes(candidate) || Object.hasOwn(builtinFunctions, candidate) || Object.hasOwn(functions, candidate)
  const definitions = new Map(base?.definitions)
  for (const definition of parseSource(name, text, hasFunction)) {
    // As Go has it, an empty body does not take the place of one that is there: a file of definitions only keeps what its name meant.
    if (definitions.has(definition.name) && isEmptyList(definition.list)) continue
    definitions.set(definition.name, definition)
  }
  return { name, definitions }
}

/**
 * Runs a template on data (see value.ts for what data may be) and gives the text. Missing keys of label maps are ''.
 * Throws `TemplateError`: `template: NAME:LINE:COLUMN: executing "NAME" at <…>: …`; `TemplateLimitError` past a limit.
 * What a function throws as a `PassedError` comes through as it is.
 */
export function executeTemplate(template: Template, data: unknown, functions: FunctionMap, limits: ExecutionLimits = {}): string {
  return executeDefinition(template, template.name, data, functions, limits)
}

/** As `executeTemplate`, but runs the definition of another name in the set. */
export function executeDefinition(
  template: Template,
  name: string,
  data: unknown,
  functions: FunctionMap,
  limits: ExecutionLimits = {},
): string {
  const definition = template.definitions.get(name)
  if (definition === undefined)
    throw new TemplateError(`template: no template ${JSON.stringify(name)} associated with template ${JSON.stringify(template.name)}`)
  return new Execution(template.definitions, functions, limits).run(definition, data)
}
