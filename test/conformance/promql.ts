import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Labels } from '@narthex/model/labels'
import { STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import type { EngineOptions } from '@narthex/promql/engine'
import { evaluateInstant, evaluateRange } from '@narthex/promql/engine'
import type { FloatHistogram } from '@narthex/promql/histogram/float-histogram'
import type { QueryResult } from '@narthex/promql/query-result'
import { formatHistogramNotation } from '@narthex/promql/testing/histogram-notation'
import { MemoryStorage } from '@narthex/promql/testing/memory-storage'
import type { SequenceValue, SeriesDescription } from '@narthex/promql/testing/series-notation'
import { isHistogramClose } from './compare-histograms.ts'
import { isClose } from './is-close.ts'
import { loadCustomBuckets } from './load-custom-buckets.ts'
import type { EvalCommand, LoadCommand } from './promql-script.ts'
import { parseScript } from './promql-script.ts'
import { atModifierVariants, mayRepeatAsRange } from './promql-variants.ts'

export interface FileReport {
  readonly name: string
  readonly passed: number
  readonly failures: readonly string[]
}

/** As Prometheus' own test engine is set up: everything experimental on. */
const engineOptions: EngineOptions = {
  lookbackMs: 300_000,
  subqueryStepMs: 60_000,
  samplesMax: 10_000_000,
  timeoutMs: 100_000,
  delayedNameRemoval: true,
  useStartTimestamps: true,
  parse: { experimentalFunctions: true, binopFillModifiers: true },
  annotationsMax: 1000,
}

/** Runs every `*.test` script of a folder. */
export function runPromqlFolder(folder: string): FileReport[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.test'))
    .sort()
    .map((name) => runPromqlScript(name, readFileSync(join(folder, name), 'utf8')))
}

/** Runs one script; every eval with its hidden repetitions counts as one case. */
export function runPromqlScript(name: string, text: string): FileReport {
  let storage = new MemoryStorage()
  let passed = 0
  const failures: string[] = []
  // type-and-unit-labels is on in the one script that is about it.
  const options = { ...engineOptions, typeAndUnitLabels: name === 'type_and_unit.test' }
  for (const command of parseScript(text)) {
    if (command.kind === 'clear') storage = new MemoryStorage()
    else if (command.kind === 'load') load(storage, command)
    else {
      const problem = checkEval(options, storage, command)
      if (problem === undefined) passed++
      else failures.push(`${name}:${command.line}: ${command.query}\n    ${problem.replaceAll('\n', '\n    ')}`)
    }
  }
  return { name, passed, failures }
}

function load(storage: MemoryStorage, { series, stepMs, withCustomBuckets }: LoadCommand): void {
  for (const { labels, values, startTimestamps } of series) {
    const stored = storage.series(labels)
    if (startTimestamps) {
      // Relative to the sample that the next line has there.
      values.forEach((value, i) => typeof value === 'number' && stored.startTimes.set(i * stepMs, i * stepMs + value))
      continue
    }
    values.forEach((value, i) => {
      const timeMs = i * stepMs
      if (typeof value === 'object') stored.appendHistogram(timeMs, value)
      else if (value === 'stale') stored.append(timeMs, STALE_LOW, STALE_HIGH)
      else if (value !== 'missing') stored.appendNumber(timeMs, value)
    })
  }
  if (withCustomBuckets) loadCustomBuckets(storage, series, stepMs)
}

interface Evaluation {
  readonly what: string
  readonly run: () => QueryResult
  readonly compare: (result: QueryResult) => string | undefined
}

/** What is wrong, or undefined. */
function checkEval(options: EngineOptions, storage: MemoryStorage, command: EvalCommand): string | undefined {
  for (const evaluation of listEvaluations(options, storage, command)) {
    const problem = checkOne(evaluation, command)
    if (problem !== undefined) return evaluation.what === '' ? problem : `${evaluation.what}: ${problem}`
  }
  return undefined
}

function listEvaluations(options: EngineOptions, storage: MemoryStorage, command: EvalCommand): Evaluation[] {
  const { query, startMs, endMs, stepMs } = command
  if (stepMs > 0) {
    return [
      {
        what: '',
        run: () => evaluateRange(options, storage, query, startMs, endMs, stepMs),
        compare: (result) => compareRange(result, command),
      },
    ]
  }
  const instant = (what: string, text: string, timeMs: number): Evaluation => ({
    what,
    run: () => evaluateInstant(options, storage, text, timeMs),
    compare: (result) => compareInstant(result, command, timeMs),
  })
  const evaluations = [instant('', query, startMs)]
  if (command.fails) return evaluations
  for (const { text, timeMs } of atModifierVariants(query, startMs, options.parse!))
    evaluations.push(instant(`${text} at ${timeMs} ms`, text, timeMs))
  if (mayRepeatAsRange(query, options.parse!) && command.samplesFrom === undefined && command.text === undefined) {
    const [from, to] = [startMs - 60_000, startMs + 60_000]
    evaluations.push({
      what: 'as a range query',
      run: () => evaluateRange(options, storage, query, from, to, 60_000),
      compare: (result) => compareStepOfRange(result, command),
    })
  }
  return evaluations
}

function checkOne({ what, run, compare }: Evaluation, command: EvalCommand): string | undefined {
  let result: QueryResult
  try {
    result = run()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (!command.fails || message.endsWith('not built yet')) return `want a result, got error: ${message}`
    if (command.failMessage !== undefined && message !== command.failMessage)
      return `want error: ${command.failMessage}\ngot error:  ${message}`
    if (command.failPattern?.test(message) === false) return `want error like: ${command.failPattern}\ngot error: ${message}`
    return undefined
  }
  if (command.fails) return `want an error, got ${describe(result)}`
  // The hidden range query sees other steps, which may have other annotations.
  return (what === 'as a range query' ? undefined : compareAnnotations(result, command)) ?? compare(result)
}

function compareAnnotations(result: QueryResult, command: EvalCommand): string | undefined {
  for (const { kind, message, pattern } of command.annotations) {
    const got = kind === 'warn' ? result.warnings : result.infos
    const found = got.some((text) => (message === undefined || text === message) && (pattern === undefined || pattern.test(text)))
    if (!found) return `want ${kind}: ${message ?? String(pattern ?? 'any')}\ngot: ${JSON.stringify([...result.warnings, ...result.infos])}`
  }
  const wantsWarning = command.annotations.some(({ kind }) => kind === 'warn')
  const wantsInfo = command.annotations.some(({ kind }) => kind === 'info')
  if (!wantsWarning && command.noWarnings && result.warnings.length > 0) return `want no warning, got ${JSON.stringify(result.warnings)}`
  if (!wantsInfo && command.noInfos && result.infos.length > 0) return `want no info, got ${JSON.stringify(result.infos)}`
  return undefined
}

function compareInstant(result: QueryResult, command: EvalCommand, timeMs: number): string | undefined {
  if (command.text !== undefined) {
    return result.type === 'string' && result.text === command.text
      ? undefined
      : `want string ${JSON.stringify(command.text)}, got ${describe(result)}`
  }
  if (command.scalar !== undefined) {
    const holds = result.type === 'scalar' && isClose(result.series.values[0]!, command.scalar)
    return holds ? undefined : `want scalar ${command.scalar}, got ${describe(result)}`
  }
  if (command.samplesFrom !== undefined) {
    const { startMs, stepMs } = command.samplesFrom
    return compareSeries(result, command.series, startMs, stepMs)
  }
  if (result.type !== 'vector') return `want an instant vector, got ${describe(result)}`
  if (command.ordered) {
    const wanted = command.series.map(({ labels }) => labels.toString())
    const got = result.series.labels.map(String)
    if (wanted.join() !== got.join()) return `want order: ${wanted.join(' ')}\ngot order:  ${got.join(' ')}`
  }
  return compareSeries(result, command.series, timeMs, 1)
}

function compareRange(result: QueryResult, command: EvalCommand): string | undefined {
  const expected = command.scalar === undefined ? command.series : [constantSeries(command)]
  return compareSeries(result, expected, command.startMs, command.stepMs)
}

function constantSeries({ scalar, startMs, endMs, stepMs }: EvalCommand): SeriesDescription {
  const steps = stepMs === 0 ? 1 : Math.floor((endMs - startMs) / stepMs) + 1
  return { labels: Labels.empty, values: Array.from({ length: steps }, () => scalar!), startTimestamps: false }
}

/** Of a range query around an instant, only that instant is compared. */
function compareStepOfRange(result: QueryResult, command: EvalCommand): string | undefined {
  const { series } = result
  const kept: { labels: Labels[]; values: number[]; histograms: (FloatHistogram | undefined)[] } = {
    labels: [],
    values: [],
    histograms: [],
  }
  series.labels.forEach((labels, i) => {
    for (let j = series.offsets[i]!; j < series.offsets[i + 1]!; j++) {
      if (series.times[j] !== command.startMs) continue
      kept.labels.push(labels)
      kept.values.push(series.values[j]!)
      kept.histograms.push(series.histograms?.[j])
    }
  })
  const only: QueryResult = {
    ...result,
    series: {
      labels: kept.labels,
      offsets: Uint32Array.from({ length: kept.labels.length + 1 }, (_, i) => i),
      times: new Float64Array(kept.values.length).fill(command.startMs),
      values: Float64Array.from(kept.values),
      histograms: kept.histograms,
    },
  }
  return compareSeries(only, command.scalar === undefined ? command.series : [constantSeries(command)], command.startMs, 1)
}

/** Expected values stand `stepMs` apart from `startMs` on. */
function compareSeries(result: QueryResult, expected: readonly SeriesDescription[], startMs: number, stepMs: number): string | undefined {
  const { series } = result
  const wanted = new Map(expected.map((description) => [description.labels.key(), description]))
  for (let i = 0; i < series.labels.length; i++) {
    const labels = series.labels[i]!
    const description = wanted.get(labels.key())
    if (description === undefined) return `unexpected series ${labels.toString()} in ${describe(result)}`
    wanted.delete(labels.key())
    const got = new Map<number, number | FloatHistogram>()
    for (let j = series.offsets[i]!; j < series.offsets[i + 1]!; j++) got.set(series.times[j]!, series.histograms?.[j] ?? series.values[j]!)
    const problem = compareValues(description, got, startMs, stepMs)
    if (problem !== undefined) return `series ${labels.toString()}: ${problem}`
  }
  for (const { labels, values } of wanted.values()) {
    if (values.some((value) => value !== 'missing')) return `missing series ${labels.toString()} in ${describe(result)}`
  }
  return undefined
}

function compareValues(
  { values }: SeriesDescription,
  got: Map<number, number | FloatHistogram>,
  startMs: number,
  stepMs: number,
): string | undefined {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    const timeMs = startMs + i * stepMs
    const gotValue = got.get(timeMs)
    got.delete(timeMs)
    if (!isWanted(gotValue, value)) return `at ${timeMs} ms want ${describeValue(value)}, got ${describeValue(gotValue)}`
  }
  const [surplus] = got
  return surplus === undefined ? undefined : `at ${surplus[0]} ms want no value, got ${describeValue(surplus[1])}`
}

function isWanted(got: number | FloatHistogram | undefined, wanted: SequenceValue): boolean {
  if (wanted === 'missing' || wanted === 'stale') return got === undefined
  if (typeof wanted === 'number') return typeof got === 'number' && isClose(got, wanted)
  return typeof got === 'object' && isHistogramClose(got, wanted)
}

function describeValue(value: SequenceValue | FloatHistogram | undefined): string {
  if (typeof value !== 'object') return String(value)
  return formatHistogramNotation(value)
}

function describe({ type, series, text }: QueryResult): string {
  if (type === 'string') return `string ${JSON.stringify(text)}`
  const shown = series.labels.slice(0, 12).map((labels, i) => {
    const values = Array.from(series.values.subarray(series.offsets[i], series.offsets[i + 1]), (value, j) => {
      const histogram = series.histograms?.[series.offsets[i]! + j]
      return histogram === undefined ? value : formatHistogramNotation(histogram)
    }).slice(0, 20)
    return `\n  ${labels.toString()} ${values.join(' ')}`
  })
  return `${type} of ${series.labels.length} series${shown.join('')}`
}
