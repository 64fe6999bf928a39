import { renderHelp } from './flag-help.ts'
import type { Flag } from './flag-spec.ts'
import { PrintAndExit, UserError } from './user-error.ts'

export type FlagSpecs = Readonly<Record<string, Flag<unknown>>>
export type FlagValues<Specs extends FlagSpecs> = { readonly [Key in keyof Specs]: ReturnType<Specs[Key]['finish']> }

export interface Program<Specs extends FlagSpecs> {
  /** Stands before error texts and in the usage line: `prometheus`. */
  readonly name: string
  readonly help: string
  /** What `--version` prints. */
  readonly version: string
  readonly flags: Specs
  /** Names of positional arguments in the usage line; without them every positional argument is an error. */
  readonly arguments?: readonly {
    readonly name: string
    readonly help: string
    readonly isRepeatable?: boolean
    readonly isOptional?: boolean
  }[]
  /** Accept Go's `-flag=value` too (redis and nginx exporters, vmagent). */
  readonly acceptsSingleDash?: boolean
  /** A variable of the environment whose text cannot be read counts as not set (redis exporter). */
  readonly skipsUnreadVariables?: boolean
  /**
   * Exit codes of the replaced program: `usage` for a flag that does not exist or lacks its value (kingpin: 1), `value` for a value that
   * does not parse (prometheus: 2; alertmanager, exporters, promtool: 1).
   */
  readonly exitCodes?: { readonly usage?: number; readonly value?: number }
}

export interface ParsedFlags<Specs extends FlagSpecs> {
  readonly values: FlagValues<Specs>
  /** Names of flags that the command line or the environment gave. */
  readonly given: ReadonlySet<string>
  /** Variables of the environment that were skipped, with the reason. */
  readonly unreadVariables: readonly UnreadVariable[]
  readonly arguments: readonly string[]
  /** Every flag with its effective text, for `/api/v1/status/flags`. */
  readonly effective: Readonly<Record<string, string>>
}

export interface UnreadVariable {
  readonly name: string
  readonly reason: string
}

/** The words of a command line that `checkTokens` has let pass, by the names of flags (`no-NAME` for what is negated), and those that stand alone. */
export interface SplitTokens {
  readonly texts: ReadonlyMap<string, readonly string[]>
  readonly arguments: readonly string[]
}

/** Splits the words of a command line. A flag without a value has the text `true`. */
export type TokenSplitter = (program: Program<FlagSpecs>, tokens: readonly string[]) => SplitTokens

/**
 * Reads a command line as kingpin does, with its texts. Throws `UserError` with one line, or `PrintAndExit` for --help and --version.
 * `argv` is without the runtime and the script.
 */
export function readFlags<Specs extends FlagSpecs>(
  program: Program<Specs>,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  split: TokenSplitter,
): ParsedFlags<Specs> {
  const flags = Object.values(program.flags)
  const tokens = program.acceptsSingleDash === true ? argv.map((token) => doubleDash(token, flags)) : expandShortFlags(argv, flags)
  checkTokens(program, flags, tokens)
  const parsed = split(program, tokens)
  if (parsed.texts.get('help')?.at(-1) === 'true') throw new PrintAndExit(renderHelp(program))
  if (parsed.texts.get('version')?.at(-1) === 'true') throw new PrintAndExit(`${program.version}\n`)

  const given = new Set<string>()
  const unreadVariables: UnreadVariable[] = []
  const effective: Record<string, string> = {}
  const entries = Object.entries(program.flags).map(([key, described]) => {
    const texts = findTexts(program, described, parsed, tokens) ?? findVariable(program, described, env, unreadVariables)
    if (texts !== undefined) given.add(described.name)
    else if (described.isRequired) throw usageError(program, `required flag --${described.name} not provided`)
    const chosen = texts ?? described.defaultTexts
    effective[described.name] = chosen.join(',')
    return [key, described.finish(chosen.map((text) => parseValue(program, described, text)))]
  })
  return {
    values: Object.fromEntries(entries) as FlagValues<Specs>,
    given,
    unreadVariables,
    arguments: checkArguments(program, parsed.arguments),
    effective,
  }
}

/** As kingpin reads them: `-oVALUE` is `--output=VALUE`, whatever VALUE begins with, and `-rq` is `-r -q`. */
export function expandShortFlags(argv: readonly string[], flags: readonly Flag<unknown>[]): string[] {
  const byShort = new Map(flags.flatMap((one) => (one.short === undefined ? [] : [[one.short, one] as const])))
  const valued = new Set(flags.filter(({ isBoolean }) => !isBoolean).flatMap(({ name, short }) => [`--${name}`, `-${short ?? name}`]))
  const expanded: string[] = []
  for (let i = 0; i < argv.length; i++) {
    let token = argv[i]!
    if (token === '--') return [...expanded, ...argv.slice(i)]
    while (/^-[^-]./s.test(token)) {
      const described = byShort.get(token[1]!)
      if (described === undefined) break
      if (!described.isBoolean) token = `--${described.name}=${token.slice(2)}`
      else {
        expanded.push(token.slice(0, 2))
        token = `-${token.slice(2)}`
      }
    }
    expanded.push(token)
    if (valued.has(token) && i + 1 < argv.length) expanded.push(argv[++i]!)
  }
  return expanded
}

// Libraries are more lenient than kingpin (`-config.file`, `--no-config.file`), and have other words.
function checkTokens(program: Program<FlagSpecs>, flags: readonly Flag<unknown>[], tokens: readonly string[]): void {
  const valued = new Set(
    flags.flatMap(({ isBoolean, name, short }) => (isBoolean ? [] : [`--${name}`, ...(short === undefined ? [] : [`-${short}`])])),
  )
  const bare = bareTokens(flags)
  for (const name of ['--help', '--no-help', '--version', '--no-version', '-h']) bare.add(name)
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!
    if (token === '--') return
    if (!token.startsWith('-') || token === '-') continue
    const name = token.split('=', 1)[0]!
    if (valued.has(name)) {
      if (token.includes('=')) continue
      const value = tokens[++i]
      if (value === undefined || (value.startsWith('-') && value !== '-')) throw usageError(program, `expected argument for flag '${name}'`)
    } else if (!bare.has(name)) {
      throw usageError(program, name.startsWith('--') ? `unknown long flag '${name}'` : `unknown short flag '${name.slice(0, 2)}'`)
    }
  }
}

/** How boolean flags stand on a command line without a value. */
export function bareTokens(flags: readonly Flag<unknown>[]): Set<string> {
  return new Set(
    flags.flatMap(({ isBoolean, name, short }) =>
      isBoolean ? [`--${name}`, `--no-${name}`, ...(short === undefined ? [] : [`-${short}`])] : [],
    ),
  )
}

/** What the command line says; undefined when it does not speak. */
function findTexts(
  program: Program<FlagSpecs>,
  described: Flag<unknown>,
  parsed: SplitTokens,
  tokens: readonly string[],
): readonly string[] | undefined {
  const positive = parsed.texts.get(described.name) ?? []
  const negative = (described.isBoolean ? parsed.texts.get(`no-${described.name}`) : undefined) ?? []
  if (positive.length + negative.length > 0) {
    if (positive.length + negative.length > 1 && !described.isRepeatable) {
      throw valueError(program, `flag '${described.name}' cannot be repeated`)
    }
    if (negative.length === 0) return positive
    if (negative[0] !== 'true' || tokens.some((token) => token.startsWith(`--no-${described.name}=`))) {
      throw usageError(program, `unexpected ${negative[0]}`)
    }
    return ['false']
  }
  return undefined
}

/** What the environment says; undefined when it does not speak. */
function findVariable(
  { skipsUnreadVariables }: Program<FlagSpecs>,
  described: Flag<unknown>,
  env: NodeJS.ProcessEnv,
  unread: UnreadVariable[],
): readonly string[] | undefined {
  const names = described.env === undefined ? [] : typeof described.env === 'string' ? [described.env] : described.env
  const name = names.find((each) => env[each] !== undefined && env[each] !== '')
  if (name === undefined) return undefined
  const value = env[name]!
  // kingpin splits a repeatable flag's variable at line ends.
  const texts = described.isRepeatable ? value.split('\n').filter((text) => text !== '') : [value]
  if (skipsUnreadVariables !== true) return texts
  try {
    for (const text of texts) described.parse(text)
    return texts
  } catch (error) {
    unread.push({ name, reason: error instanceof Error ? error.message : String(error) })
    return undefined
  }
}

function parseValue(program: Program<FlagSpecs>, described: Flag<unknown>, text: string): unknown {
  try {
    return described.parse(text)
  } catch (error) {
    throw valueError(program, error instanceof Error ? error.message : String(error), described.name, error)
  }
}

function checkArguments(program: Program<FlagSpecs>, values: readonly string[]): readonly string[] {
  const wanted = program.arguments ?? []
  const missing = wanted.find((argument, index) => argument.isOptional !== true && index >= values.length)
  if (missing !== undefined) throw usageError(program, `required argument '${missing.name}' not provided`)
  const isOpen = wanted.at(-1)?.isRepeatable === true
  if (!isOpen && values.length > wanted.length) throw usageError(program, `unexpected ${values[wanted.length]}`)
  return values
}

// `-web.listen-address=:1` → `--web.listen-address=:1`, for names that exist; `-1` and `-` stay.
function doubleDash(token: string, flags: readonly Flag<unknown>[]): string {
  if (!/^-[A-Za-z]/.test(token)) return token
  const name = token.slice(1).split('=')[0]!
  const known = ['help', 'version', ...flags.flatMap((described) => [described.name, `no-${described.name}`])]
  return known.includes(name) ? `-${token}` : token
}

export function usageError(program: Program<FlagSpecs>, text: string): UserError {
  return new UserError(`${program.name}: error: ${text}, try --help`, program.exitCodes?.usage ?? 1)
}

function valueError(program: Program<FlagSpecs>, text: string, name?: string, cause?: unknown): UserError {
  const place = name === undefined ? '' : `invalid value for flag --${name}: `
  return new UserError(`${program.name}: error: ${place}${text}, try --help`, program.exitCodes?.value ?? 1, { cause })
}
