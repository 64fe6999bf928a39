import yargs from 'yargs'
import { bareTokens, readFlags, usageError, type FlagSpecs, type ParsedFlags, type Program, type SplitTokens } from './flag-reading.ts'
import type { Flag } from './flag-spec.ts'

export type { FlagSpecs, FlagValues, ParsedFlags, Program } from './flag-reading.ts'
export { ownArguments } from './own-arguments.ts'

/**
 * Reads a command line as kingpin does, with its texts. Throws `UserError` with one line, or `PrintAndExit` for --help and --version.
 * `argv` is without the runtime and the script.
 */
export function parseFlags<Specs extends FlagSpecs>(
  program: Program<Specs>,
  argv: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): ParsedFlags<Specs> {
  return readFlags(program, argv, env, splitByYargs)
}

function splitByYargs(program: Program<FlagSpecs>, tokens: readonly string[]): SplitTokens {
  const flags = Object.values(program.flags)
  const booleans = flags.filter(({ isBoolean }) => isBoolean).map(({ name }) => name)
  const valued = flags.filter(({ isBoolean }) => !isBoolean).map(({ name }) => name)
  const parser = yargs()
    .parserConfiguration({
      'dot-notation': false,
      'camel-case-expansion': false,
      'boolean-negation': false,
      'short-option-groups': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'unknown-options-as-args': true,
      'greedy-arrays': false,
    })
    .help(false)
    .version(false)
    .locale('en')
    .exitProcess(false)
    .showHelpOnFail(false)
    // A boolean is read as text, so that its form with a value can be told from one without.
    .string([...valued, ...booleans, ...booleans.map((name) => `no-${name}`)])
    .boolean(['help', 'version'])
    .alias('h', 'help')
  for (const { name, short } of flags) if (short !== undefined) parser.alias(short, name)
  for (const name of valued) parser.nargs(name, 1)
  parser.fail((message: string | undefined, error: Error | undefined) => {
    throw error ?? usageError(program, message ?? 'cannot parse arguments')
  })
  const parsed: Record<string, unknown> = { ...parser.parseSync(protectBooleans(tokens, flags)) }
  const texts = new Map<string, readonly string[]>()
  for (const name of [...valued, ...booleans, ...booleans.map((name) => `no-${name}`)]) {
    if (parsed[name] !== undefined) texts.set(name, asTexts(parsed[name]))
  }
  for (const name of ['help', 'version']) if (parsed[name] === true) texts.set(name, ['true'])
  return { texts, arguments: asTexts(parsed['_']) }
}

// A bare `--flag` or `-f` must not take the next word as its value, nor one that says what is so anyway.
function protectBooleans(tokens: readonly string[], flags: readonly Flag<unknown>[]): string[] {
  const bare = bareTokens(flags)
  for (const name of ['--help', '-h', '--version']) bare.add(name)
  const end = tokens.indexOf('--')
  return tokens.flatMap((token, i) => {
    if (end >= 0 && i >= end) return [token]
    if (token === '--no-help' || token === '--no-version') return []
    return [bare.has(token) ? `${token}=true` : token]
  })
}

function asTexts(value: unknown): readonly string[] {
  if (value === undefined) return []
  return Array.isArray(value) ? value.map(String) : [String(value)]
}
