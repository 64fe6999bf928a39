import { parseDuration } from '@narthex/model/duration'
import { parseSeriesDescription, type SeriesDescription } from '@narthex/promql/testing/series-notation'

// The language of Prometheus' own evaluation tests: load, clear, eval, with indented lines of series or expectations.

export interface LoadCommand {
  readonly kind: 'load'
  readonly line: number
  readonly stepMs: number
  readonly series: readonly SeriesDescription[]
  /** Histograms with custom buckets are to be made of classic ones, too. */
  readonly withCustomBuckets: boolean
}

export interface ClearCommand {
  readonly kind: 'clear'
  readonly line: number
}

export interface AnnotationExpectation {
  readonly kind: 'warn' | 'info'
  readonly message?: string
  readonly pattern?: RegExp
}

export interface EvalCommand {
  readonly kind: 'eval'
  readonly line: number
  readonly query: string
  /** ms; for an instant query start = end and step = 0. */
  readonly startMs: number
  readonly endMs: number
  readonly stepMs: number
  readonly ordered: boolean
  readonly fails: boolean
  readonly failMessage?: string
  readonly failPattern?: RegExp
  readonly annotations: readonly AnnotationExpectation[]
  readonly noWarnings: boolean
  readonly noInfos: boolean
  readonly text?: string
  /** Expected range vector of an instant query. */
  readonly samplesFrom?: { startMs: number; endMs: number; stepMs: number }
  /** A plain number: expected scalar. */
  readonly scalar?: number
  readonly series: readonly SeriesDescription[]
}

export type Command = LoadCommand | ClearCommand | EvalCommand

/** Reads a script. Throws an Error naming the line that cannot be read. */
export function parseScript(text: string): Command[] {
  const lines = text.split('\n')
  const commands: Command[] = []
  let i = 0
  while (i < lines.length) {
    const line = lines[i]!.trim()
    const number = i + 1
    i++
    if (line === '' || line.startsWith('#')) continue
    const body: string[] = []
    // A block ends at an empty line; comments inside it do not count.
    if (!line.startsWith('clear')) {
      while (i < lines.length && lines[i]!.trim() !== '') {
        if (/^\S/.test(lines[i]!) && !lines[i]!.startsWith('#')) break
        const bodyLine = lines[i]!.trim()
        if (!bodyLine.startsWith('#')) body.push(bodyLine)
        i++
      }
    }
    try {
      commands.push(parseCommand(line, body, number))
    } catch (error) {
      throw new Error(`line ${number}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
  return commands
}

function parseCommand(line: string, body: readonly string[], number: number): Command {
  if (line === 'clear') return { kind: 'clear', line: number }
  const load = /^(load|load_with_nhcb)\s+(\S+)$/.exec(line)
  if (load !== null) {
    const series = body.map(parseSeriesDescription)
    return { kind: 'load', line: number, stepMs: parseDuration(load[2]!), series, withCustomBuckets: load[1] === 'load_with_nhcb' }
  }
  const instant = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(\S+))?\s*(.*)$/.exec(line)
  if (instant !== null) {
    const timeMs = readTime(instant[2]!)
    return parseEval(number, instant[1], instant[3]!, { startMs: timeMs, endMs: timeMs, stepMs: 0 }, body)
  }
  const range = /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+?)\s+(.*)$/.exec(line)
  if (range === null) throw new Error(`cannot read command: want load, clear or eval, got ${line}`)
  const grid = { startMs: readTime(range[2]!), endMs: readTime(range[3]!), stepMs: parseDuration(range[4]!) }
  return parseEval(number, range[1], range[5]!, grid, body)
}

/** A duration, or seconds. */
function readTime(text: string): number {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000)
  return text.startsWith('-') ? -parseDuration(text.slice(1)) : parseDuration(text)
}

function parseEval(
  line: number,
  modifier: string | undefined,
  query: string,
  grid: { startMs: number; endMs: number; stepMs: number },
  body: readonly string[],
): EvalCommand {
  const command = {
    kind: 'eval' as const,
    line,
    query,
    ...grid,
    ordered: modifier === 'ordered',
    fails: modifier === 'fail',
    annotations: [] as AnnotationExpectation[],
    noWarnings: false,
    noInfos: false,
    series: [] as SeriesDescription[],
  }
  if (modifier === 'warn' || modifier === 'info') command.annotations.push({ kind: modifier })
  const extra: { failMessage?: string; failPattern?: RegExp; text?: string; scalar?: number; samplesFrom?: EvalCommand['samplesFrom'] } = {}
  for (const bodyLine of body) {
    const expected = /^expect\s+(\w+)\s*(.*)$/.exec(bodyLine)
    const oldFail = /^expected_fail_(message|regexp)\s+(.*)$/.exec(bodyLine)
    if (oldFail !== null) {
      if (oldFail[1] === 'message') extra.failMessage = oldFail[2]
      else extra.failPattern = new RegExp(oldFail[2]!)
    } else if (expected === null) {
      if (/^[+-]?(\d|\.\d|inf\b|nan\b)\S*$/i.test(bodyLine)) extra.scalar = readScalar(bodyLine)
      else command.series.push(parseSeriesDescription(bodyLine))
    } else readExpectation(expected[1]!, expected[2]!, command, extra)
  }
  return { ...command, ...extra }
}

function readScalar(text: string): number {
  const lower = text.toLowerCase()
  if (lower.endsWith('inf')) return lower.startsWith('-') ? -Infinity : Infinity
  return lower.endsWith('nan') ? NaN : Number(text)
}

function readExpectation(
  word: string,
  rest: string,
  command: { ordered: boolean; fails: boolean; annotations: AnnotationExpectation[]; noWarnings: boolean; noInfos: boolean },
  extra: { failMessage?: string; failPattern?: RegExp; text?: string; samplesFrom?: EvalCommand['samplesFrom'] },
): void {
  const wanted = /^(msg|regex):\s*(.*)$/.exec(rest)
  const message = wanted?.[1] === 'msg' ? wanted[2] : undefined
  const pattern = wanted?.[1] === 'regex' ? new RegExp(wanted[2]!) : undefined
  switch (word) {
    case 'ordered':
      command.ordered = true
      return
    case 'fail':
      command.fails = true
      extra.failMessage = message
      extra.failPattern = pattern
      return
    case 'warn':
    case 'info':
      command.annotations.push({ kind: word, message, pattern })
      return
    case 'no_warn':
      command.noWarnings = true
      return
    case 'no_info':
      command.noInfos = true
      return
    case 'string':
      extra.text = rest.startsWith('`') ? rest.slice(1, -1) : (JSON.parse(rest) as string)
      return
    case 'range': {
      const bounds = /^vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)$/.exec(rest)
      if (bounds === null) throw new Error(`cannot read expectation: want vector from … to … step …, got ${rest}`)
      extra.samplesFrom = { startMs: readTime(bounds[1]!), endMs: readTime(bounds[2]!), stepMs: parseDuration(bounds[3]!) }
      return
    }
    default:
      throw new Error(`cannot read expectation: unknown word ${word}`)
  }
}
