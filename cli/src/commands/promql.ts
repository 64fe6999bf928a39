import type { MatchType } from '@narthex/model/matcher'
import { RegexSyntaxError } from '@narthex/model/regex'
import type { Expression } from '@narthex/promql/parse/ast'
import { deleteMatchers, setMatcher } from '@narthex/promql/parse/edit-matchers'
import { parseExpression, type ParseOptions } from '@narthex/promql/parse/parse'
import { ParseError } from '@narthex/promql/parse/parse-error'
import { prettifyExpression } from '@narthex/promql/parse/prettify'
import { printExpression } from '@narthex/promql/parse/print'
import { toParseOptions } from '@narthex/server/feature-flags'
import { flag, type Flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { readFeatures } from '../read-features.ts'
import { promtoolFlags, runSubcommand, type CommandGroup } from '../subcommands.ts'
import { versionText } from '../version.ts'

// narthex promql format QUERY, label-matchers set|delete QUERY NAME [VALUE]: prints the query anew, as `promtool promql` does.

const matchType = flag.choice('type', 'Type of the label matcher to set.', ['=', '!=', '=~', '!~'], '=', { short: 't' })

const labelMatchers: CommandGroup = {
  name: 'narthex promql label-matchers',
  help: 'Edit label matchers contained within an existing PromQL query.',
  subcommands: {
    set: { help: 'Set a label matcher in the query.', run: runSet },
    delete: { help: 'Delete a label from the query.', run: runDelete },
  },
}

const group: CommandGroup = {
  name: 'narthex promql',
  help: 'PromQL formatting and editing.',
  subcommands: {
    format: { help: 'Format PromQL query to pretty printed form.', run: runFormat },
    'label-matchers': {
      help: 'Edit label matchers contained within an existing PromQL query: set, delete.',
      run: (argv) => runSubcommand(labelMatchers, argv, undefined),
    },
  },
}

/** narthex promql KIND [FLAG ...] QUERY [ARG ...] */
export function runPromql(argv: readonly string[]): Promise<void> {
  return runSubcommand(group, argv, undefined)
}

function runFormat(argv: readonly string[]): void {
  const { query, features } = readCommand('format', argv, [])
  throw new PrintAndExit(`${prettifyExpression(parseQuery(query, toParseOptions(features)))}\n`)
}

function runSet(argv: readonly string[]): void {
  const { query, features, rest, type } = readCommand('label-matchers set', argv, ['name', 'value'], { matchType })
  const [name = '', value = ''] = rest
  editQuery(query, toParseOptions(features), (expression) => setMatcher(expression, type, name, value))
}

function runDelete(argv: readonly string[]): void {
  const { query, features, rest } = readCommand('label-matchers delete', argv, ['name'])
  editQuery(query, toParseOptions(features), (expression) => deleteMatchers(expression, rest[0] ?? ''))
}

const argumentHelps: Readonly<Record<string, string>> = {
  query: 'PromQL query.',
  name: 'Name of the label.',
  value: 'Value of the label matcher to set.',
}

interface Command {
  readonly query: string
  /** The arguments behind the query. */
  readonly rest: readonly string[]
  readonly features: readonly string[]
  readonly type: MatchType
}

function readCommand(
  words: string,
  argv: readonly string[],
  names: readonly string[],
  own: { readonly matchType?: Flag<MatchType> } = {},
): Command {
  const { values, arguments: given } = parseFlags(
    {
      name: `narthex promql ${words}`,
      help: words === 'format' ? group.subcommands['format']!.help : labelMatchers.help,
      version: versionText(`narthex promql ${words}`),
      flags: { ...promtoolFlags, ...own },
      arguments: ['query', ...names].map((name) => ({ name, help: argumentHelps[name]! })),
    },
    argv,
  )
  const [query = '', ...rest] = given
  return { query, rest, features: readFeatures(values.features), type: values.matchType ?? '=' }
}

function parseQuery(text: string, options: ParseOptions): Expression {
  try {
    return parseExpression(text, options)
  } catch (cause) {
    if (!(cause instanceof ParseError)) throw cause
    throw new UserError(cause.message, 1, { cause })
  }
}

/** Prints the query with what `edit` makes of it, unless that is no query any more. */
function editQuery(text: string, options: ParseOptions, edit: (expression: Expression) => Expression): never {
  const edited = applyEdit(parseQuery(text, options), edit)
  const printed = prettifyExpression(edited)
  try {
    parseExpression(printed, options)
  } catch (cause) {
    if (!(cause instanceof ParseError)) throw cause
    throw new UserError(`the result is no query: ${printExpression(edited)}: ${cause.reason}`, 1, { cause })
  }
  throw new PrintAndExit(`${printed}\n`)
}

function applyEdit(expression: Expression, edit: (expression: Expression) => Expression): Expression {
  try {
    return edit(expression)
  } catch (cause) {
    if (!(cause instanceof RegexSyntaxError)) throw cause
    throw new UserError(cause.message, 1, { cause })
  }
}
