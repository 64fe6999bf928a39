import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { ExpositionError } from '@narthex/exposition/exposition-error'
import { lintMetrics } from '@narthex/exposition/lint-metrics'
import { readFamilies } from '@narthex/exposition/metric-families'
import type { MetricFamily } from '@narthex/exposition/metric-families'
import { OpenMetricsParser } from '@narthex/exposition/openmetrics-parser'
import { TextParser } from '@narthex/exposition/text-parser'
import { validateOpenMetrics } from '@narthex/exposition/validate-openmetrics'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { UserError } from '@narthex/service/user-error'
import { versionText } from '../version.ts'
import { checkFlags } from './check-flags.ts'

// narthex check metrics [FILE]: reads a metrics page and says what is wrong with it, as `promtool check metrics` does.

/** A page of metrics larger than this is a mistake. */
const bodyBytesMax = 512 * 1024 * 1024

/** promtool's exit codes: the page cannot be read; it can, but breaks conventions. */
const parseErrorCode = 1
const lintErrorCode = 3

const nothingToDoText = `error: at least one of --extended or linting must be enabled
Use --extended for cardinality analysis, or remove --lint=none to enable linting`

const flags = {
  ...checkFlags,
  format: flag.choice(
    'format',
    'Format of the metrics: auto takes what ends with # EOF for OpenMetrics.',
    ['auto', 'openmetrics', 'text'],
    'auto',
  ),
  extended: { ...checkFlags.extended, isHidden: false },
  lint: flag.choice('lint', 'Linting checks to apply: all, or none to read the metrics only.', ['all', 'none'], 'all'),
}

export async function runCheckMetrics(argv: readonly string[]): Promise<void> {
  const { values, arguments: positional } = parseFlags(
    {
      name: 'narthex check metrics',
      help: 'Reads metrics from a file or standard input and checks them for consistency and correctness.',
      version: versionText('narthex check metrics'),
      flags,
      arguments: [{ name: 'file', help: 'The metrics; standard input if there is none.', isOptional: true }],
    },
    argv,
  )
  if (!values.extended && values.lint === 'none') throw new UserError(nothingToDoText, parseErrorCode)
  const [path] = positional
  const body = await readBody(path === undefined || path === '-' ? process.stdin : createReadStream(path), path ?? 'standard input')
  const { output, errors, exitCode } = checkMetrics(body, {
    format: values.format === 'openmetrics' || values.format === 'text' ? values.format : undefined,
    extended: values.extended,
    lints: values.lint === 'all',
  })
  if (output !== '') process.stdout.write(output)
  if (exitCode !== 0) throw new UserError(errors.join('\n'), exitCode)
}

export interface CheckMetricsOptions {
  /** Undefined: OpenMetrics if the body ends with `# EOF`. */
  readonly format: 'openmetrics' | 'text' | undefined
  readonly extended: boolean
  readonly lints: boolean
}

export interface CheckMetricsResult {
  readonly output: string
  readonly errors: readonly string[]
  readonly exitCode: number
}

/** OpenMetrics is checked by all rules of its specification, text 0.0.4 as a scrape reads it; then both by the conventions for names. */
export function checkMetrics(body: Uint8Array, options: CheckMetricsOptions): CheckMetricsResult {
  const isOpenMetrics = (options.format ?? (endsWithEof(body) ? 'openmetrics' : 'text')) === 'openmetrics'
  const format = isOpenMetrics ? 'openmetrics' : 'text'
  const describe = (text: string, line: number) => `error while linting: ${format} format parsing error in line ${line}: ${text}`
  const problems = isOpenMetrics ? validateOpenMetrics(body) : []
  if (problems.length > 0) {
    return { output: '', errors: problems.map(({ text, line }) => describe(text, line)), exitCode: parseErrorCode }
  }
  let families: readonly MetricFamily[]
  try {
    families = readFamilies(body, isOpenMetrics ? new OpenMetricsParser() : new TextParser(), isOpenMetrics)
  } catch (error) {
    if (!(error instanceof ExpositionError)) throw error
    return { output: '', errors: [describe(error.problem, error.line)], exitCode: parseErrorCode }
  }
  const endLine = isOpenMetrics ? undefined : findUnendedLine(body)
  if (endLine !== undefined) return { output: '', errors: [describe('unexpected end of input stream', endLine)], exitCode: parseErrorCode }
  const lints = options.lints ? lintMetrics(families) : []
  const output = options.extended ? formatCardinality(families) : ''
  if (lints.length > 0) return { output, errors: lints.map(({ metric, text }) => `${metric} ${text}`), exitCode: lintErrorCode }
  return { output, errors: [], exitCode: 0 }
}

/** The number of a last line that has text and no end: a scrape reads it, tools that read files of text 0.0.4 do not. */
function findUnendedLine(body: Uint8Array): number | undefined {
  const start = body.lastIndexOf(newline) + 1
  let at = start
  while (body[at] === space || body[at] === tab) at++
  if (at >= body.length) return undefined
  let line = 1
  for (let i = body.indexOf(newline); i >= 0; i = body.indexOf(newline, i + 1)) line++
  return line
}

const newline = 0x0a
const space = 0x20
const tab = 0x09

/** A body of OpenMetrics. */
export function endsWithEof(body: Uint8Array): boolean {
  return /(?:^|\n)# EOF\s*$/.test(Buffer.from(body.subarray(-100)).toString('latin1'))
}

async function readBody(stream: Readable, name: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      length += chunk.length
      if (length > bodyBytesMax) throw new Error(`more than ${bodyBytesMax} bytes`)
    }
  } catch (cause) {
    throw new UserError(`narthex check metrics: cannot read ${name}: ${(cause as Error).message}`, parseErrorCode, { cause })
  }
  return Buffer.concat(chunks, length)
}

/** How many series each metric has, the largest first, in columns four blanks apart. */
function formatCardinality(families: readonly MetricFamily[]): string {
  const counts = families.map((family) => ({ name: family.name, count: countSeries(family) })).sort((a, b) => b.count - a.count)
  const total = counts.reduce((sum, { count }) => sum + count, 0)
  const rows = [
    ['Metric', 'Cardinality', 'Percentage'],
    ...counts.map(({ name, count }) => [name, String(count), `${((100 * count) / total).toFixed(2)}%`]),
    ['Total', String(total), '100%'],
  ]
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)) + 4)
  return rows.map((row) => `${row.map((cell, i) => cell.padEnd(widths[i]!)).join('')}\n`).join('')
}

/** A histogram or summary has a count and a sum beside its parts, of which all its metrics have as many as the first. */
function countSeries({ type, metrics }: MetricFamily): number {
  const isComposite = type === 'histogram' || type === 'gaugehistogram' || type === 'summary'
  return isComposite ? metrics.length * (2 + metrics[0]!.parts) : metrics.length
}
