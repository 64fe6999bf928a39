import { bareTokens, expandShortFlags, usageError } from '@narthex/service/flag-reading'
import { flag, type Flag } from '@narthex/service/flag-spec'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { versionText } from './version.ts'

// The words between `narthex` and the flags of what is run, as promtool reads them: flags of a group may stand in front of the next word.

export interface Subcommand<Context> {
  readonly help: string
  readonly run: (argv: readonly string[], context: Context) => void | Promise<void>
}

export interface CommandGroup<Context = undefined> {
  /** `narthex check` */
  readonly name: string
  readonly help: string
  readonly subcommands: Readonly<Record<string, Subcommand<Context>>>
  /** Those that may stand in front of the word, beside `promtoolFlags`; the subcommand reads them. */
  readonly flags?: readonly Flag<unknown>[]
  /** Words of the design that are not there yet. */
  readonly notBuilt?: readonly string[]
}

/** Flags that promtool has with each of its commands. */
export const promtoolFlags = {
  features: flag.list('enable-feature', 'Feature names to enable, as in Prometheus; comma separated or repeated.'),
  isExperimental: flag.boolean('experimental', 'Taken for compatibility: what is there may be used without it.', { hidden: true }),
}

/** Runs the subcommand that the first word names. Throws UserError if it names none, PrintAndExit for help. */
export async function runSubcommand<Context>(group: CommandGroup<Context>, argv: readonly string[], context: Context): Promise<void> {
  const { name, subcommands, flags = [], notBuilt = [] } = group
  const { word, rest } = takeWord(name, argv, flags)
  if (word === '--help') throw new PrintAndExit(describeGroup(group))
  if (word === '--version') throw new PrintAndExit(`${versionText(name)}\n`)
  const subcommand = word !== undefined && Object.hasOwn(subcommands, word) ? subcommands[word] : undefined
  if (subcommand === undefined) {
    if (word !== undefined && notBuilt.includes(word)) throw new UserError(`${name}: ${word} is not built yet`)
    const words = Object.keys(subcommands)
    throw new UserError(`${name}: want ${words.length > 1 ? 'one of ' : ''}${words.join(', ')}, got ${word ?? 'nothing'}`)
  }
  return await subcommand.run(rest, context)
}

/**
 * The first word that is no flag nor the value of one, and all others; `--help` and `--version` stand for such a word if they come before it. Throws
 * UserError for a flag that is none of `flags`.
 */
export function takeWord(
  name: string,
  given: readonly string[],
  flags: readonly Flag<unknown>[] = [],
): { readonly word: string | undefined; readonly rest: readonly string[] } {
  const known = [...Object.values(promtoolFlags), ...flags]
  const argv = expandShortFlags(given, known)
  const bare = bareTokens(known)
  const valued = new Set(
    known.flatMap((one) => (one.isBoolean ? [] : [`--${one.name}`, ...(one.short === undefined ? [] : [`-${one.short}`])])),
  )
  const program = { name, help: '', version: '', flags: {} }
  let at = 0
  for (; at < argv.length; at++) {
    const token = argv[at]!
    if (token === '-h') return { word: '--help', rest: [] }
    if (token === '--help' || token === '--version') return { word: token, rest: [] }
    if (!token.startsWith('-') || token === '-') break
    const flagName = token.split('=', 1)[0]!
    if (valued.has(flagName)) {
      if (token.includes('=')) continue
      if (++at >= argv.length) throw usageError(program, `expected argument for flag '${flagName}'`)
    } else if (!bare.has(flagName)) {
      throw usageError(program, token.startsWith('--') ? `unknown long flag '${flagName}'` : `unknown short flag '${flagName.slice(0, 2)}'`)
    }
  }
  return { word: argv[at], rest: argv.toSpliced(at, 1) }
}

function describeGroup<Context>({ name, help, subcommands, flags = [] }: CommandGroup<Context>): string {
  const width = Math.max(...Object.keys(subcommands).map((word) => word.length)) + 2
  const lines = Object.entries(subcommands).map(([word, one]) => `  ${word.padEnd(width)}${one.help}`)
  const shared = flags
    .filter(({ isHidden }) => !isHidden)
    .map((one) => ` [--${one.name}${one.isBoolean ? '' : `=${one.name.toUpperCase()}`}]`)
  return `usage: ${name}${shared.join('')} <command> [<flags>] [<args> ...]\n\n${help}\n\nCommands:\n${lines.join('\n')}\n\n${name} <command> --help shows the flags of a command.\n`
}
