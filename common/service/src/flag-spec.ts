import { parseDuration } from '@narthex/model/duration'

/** One flag; made by the functions of `flag`. `parse` gives the value or throws with the original's text. */
export interface Flag<Value> {
  readonly name: string
  readonly help: string
  readonly isBoolean: boolean
  readonly isRepeatable: boolean
  readonly parse: (text: string) => unknown
  /** Texts that stand in when neither the command line nor the environment gives any. */
  readonly defaultTexts: readonly string[]
  readonly finish: (values: readonly unknown[]) => Value
  readonly placeholder?: string
  readonly env?: string | readonly string[]
  readonly group?: string
  readonly isHidden: boolean
  readonly isRequired: boolean
  readonly short?: string
}

export interface FlagOptions {
  /** Environment variables that give the value when the command line does not; the first one set wins. */
  readonly env?: string | readonly string[]
  /** Heading in `--help`; default `Flags:`. */
  readonly group?: string
  readonly placeholder?: string
  readonly hidden?: boolean
  readonly required?: boolean
  /** One-letter form. */
  readonly short?: string
}

type Default<Value> = FlagOptions & { readonly default?: Value }

/** Functions that describe flags; without a default an absent flag gives undefined (`list`: an empty array, `boolean`: false). */
export const flag = {
  string: (name: string, help: string, options: Default<string> = {}): Flag<string | undefined> =>
    scalar(name, help, options, (text) => text),

  text: (name: string, help: string, preset: string, options: FlagOptions = {}): Flag<string> =>
    preset_(scalar(name, help, { ...options, default: preset }, (text) => text)),

  list: (name: string, help: string, options: FlagOptions & { readonly default?: readonly string[] } = {}): Flag<readonly string[]> => ({
    ...common(name, help, options),
    isRepeatable: true,
    defaultTexts: options.default ?? [],
    parse: (text) => text,
    finish: (values) => values.filter((value) => typeof value === 'string'),
  }),

  boolean: (name: string, help: string, options: Default<boolean> = {}): Flag<boolean> => ({
    ...common(name, help, options),
    isBoolean: true,
    defaultTexts: [String(options.default ?? false)],
    parse: parseBoolean,
    finish: (values) => values.at(-1) === true,
  }),

  /** Milliseconds; accepts Prometheus' (`15d`, `1h30m`) and Go's (`1.5h`, `2h45m10s`) durations. */
  durationMs: (name: string, help: string, preset: string, options: FlagOptions = {}): Flag<number> =>
    preset_(scalar(name, help, { ...options, default: preset }, parseAnyDuration)),

  /** As `durationMs`, undefined when not given. */
  optionalDurationMs: (name: string, help: string, options: FlagOptions = {}): Flag<number | undefined> =>
    scalar<number>(name, help, options, parseAnyDuration),

  integer: (name: string, help: string, preset: number, options: FlagOptions = {}): Flag<number> =>
    preset_(scalar(name, help, { ...options, default: String(preset) }, parseInteger)),

  number: (name: string, help: string, preset: number, options: FlagOptions = {}): Flag<number> =>
    preset_(scalar(name, help, { ...options, default: String(preset) }, parseNumber)),

  /** Bytes with a unit of 1024 (`512MB`, `1GiB`); 0 without one. */
  optionalBytes: (name: string, help: string, options: FlagOptions = {}): Flag<number | undefined> =>
    scalar<number>(name, help, options, parseBytes),

  choice: <const Choice extends string>(
    name: string,
    help: string,
    choices: readonly Choice[],
    preset: NoInfer<Choice>,
    options: FlagOptions = {},
  ): Flag<Choice> => preset_(scalar(name, help, { ...options, default: preset }, (text) => parseChoice(text, choices))),

  /** May stand alone, and is the first choice then; undefined when not given. */
  optionalChoice: <const Choice extends string>(
    name: string,
    help: string,
    choices: readonly [Choice, ...Choice[]],
    options: FlagOptions = {},
  ): Flag<Choice | undefined> => ({
    ...common(name, help, { placeholder: choices.join('|'), ...options }),
    isBoolean: true,
    defaultTexts: [],
    parse: (text) => (text === 'true' ? choices[0] : text === 'false' ? undefined : parseChoice(text, choices)),
    finish: (values) => values.at(-1) as Choice | undefined,
  }),

  custom: <Value>(
    name: string,
    help: string,
    parse: (text: string) => Value,
    options: FlagOptions & { readonly default?: string } = {},
  ): Flag<Value | undefined> => scalar(name, help, options, parse),
}

function common(name: string, help: string, options: FlagOptions) {
  return {
    name,
    help,
    isBoolean: false,
    isRepeatable: false,
    isHidden: options.hidden === true,
    isRequired: options.required === true,
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.group === undefined ? {} : { group: options.group }),
    ...(options.placeholder === undefined ? {} : { placeholder: options.placeholder }),
    ...(options.short === undefined ? {} : { short: options.short }),
  }
}

function scalar<Value>(
  name: string,
  help: string,
  options: FlagOptions & { readonly default?: string },
  parse: (text: string) => Value,
): Flag<Value | undefined> {
  return {
    ...common(name, help, options),
    defaultTexts: options.default === undefined ? [] : [options.default],
    parse,
    // `parse` made every value; the list loses its type only in between.
    finish: (values) => (values.length === 0 ? undefined : (values.at(-1) as Value)),
  }
}

// A flag with a default always has a value.
function preset_<Value>(described: Flag<Value | undefined>): Flag<Value> {
  return { ...described, finish: (values) => described.finish(values)! }
}

function parseBoolean(text: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`)
}

function parseInteger(text: string): number {
  if (!/^[-+]?\d+$/.test(text)) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`)
  return value
}

function parseNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value)) throw new Error(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`)
  return value
}

function parseChoice<Choice extends string>(text: string, choices: readonly Choice[]): Choice {
  const found = choices.find((choice) => choice === text)
  if (found === undefined) throw new Error(`enum value must be one of ${choices.join(',')}, got '${text}'`)
  return found
}

const goUnitsMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

function parseAnyDuration(text: string): number {
  try {
    return parseDuration(text)
  } catch (error) {
    if (!/^[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*$/.test(text)) throw error
    let ms = 0
    for (const [, amount, unit] of text.matchAll(/([\d.]+)(ns|us|µs|μs|ms|s|m|h)/g)) ms += Number(amount) * goUnitsMs[unit!]!
    return text.startsWith('-') ? -ms : ms
  }
}

const byteUnits = ['B', 'KB', 'MB', 'GB', 'TB', 'PB', 'EB']

/** Reads `512MB`, `1GiB`, `0`; a kilobyte is 1024 bytes, a unit is required. */
export function parseBytes(text: string): number {
  if (text === '0') return 0
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(text)
  if (match === null) throw new Error(`units: invalid ${text}`)
  const power = byteUnits.indexOf(match[2]!.replace(/^([KMGTPE])iB$/, '$1B'))
  if (power < 0) throw new Error(`units: unknown unit ${match[2]} in ${text}`)
  return Math.floor(Number(match[1]) * 1024 ** power)
}
