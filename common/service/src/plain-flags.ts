import { readFlags, type FlagSpecs, type ParsedFlags, type Program, type SplitTokens } from './flag-reading.ts'

/**
 * As `parseFlags` of `flags.ts`, without the library: it takes 7 MB and 60 ms, of which a program that has them as its bounds has none to spare.
 * What it is for, help and checks, `flag-reading.ts` does in kingpin's way in any case.
 */
export function parseFlags<Specs extends FlagSpecs>(
  program: Program<Specs>,
  argv: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): ParsedFlags<Specs> {
  return readFlags(program, argv, env, splitPlainly)
}

function splitPlainly(program: Program<FlagSpecs>, tokens: readonly string[]): SplitTokens {
  // How flags stand on a command line → their names, and whether they take the next word.
  const known = new Map<string, { readonly name: string; readonly isValued: boolean }>([
    ['--help', { name: 'help', isValued: false }],
    ['-h', { name: 'help', isValued: false }],
    ['--version', { name: 'version', isValued: false }],
  ])
  for (const { isBoolean, name, short } of Object.values(program.flags)) {
    known.set(`--${name}`, { name, isValued: !isBoolean })
    if (short !== undefined) known.set(`-${short}`, { name, isValued: !isBoolean })
    if (isBoolean) known.set(`--no-${name}`, { name: `no-${name}`, isValued: false })
  }
  const texts = new Map<string, string[]>()
  const rest: string[] = []
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!
    if (token === '--') {
      rest.push(...tokens.slice(i + 1))
      break
    }
    const equals = token.indexOf('=')
    const flag = known.get(equals < 0 ? token : token.slice(0, equals))
    if (flag === undefined) {
      // `--no-help` and `--no-version` say what is so.
      if (!token.startsWith('-') || token === '-') rest.push(token)
      continue
    }
    const text = equals >= 0 ? token.slice(equals + 1) : flag.isValued ? tokens[++i]! : 'true'
    texts.set(flag.name, [...(texts.get(flag.name) ?? []), text])
  }
  return { texts, arguments: rest }
}
