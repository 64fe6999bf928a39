import { Labels } from '@narthex/model/labels'
import type { Expression, ValueType } from './parse/ast.ts'
import { typeOf } from './parse/ast.ts'
import type { ParseOptions } from './parse/parse.ts'
import { parseExpression } from './parse/parse.ts'
import { ParseError } from './parse/parse-error.ts'
import { buildVector } from './operators/build.ts'
import { collectResult, collectSamples } from './operators/collect.ts'
import { evaluateScalar } from './operators/scalar-values.ts'
import type { ExplainedPart } from './plan/explain-plan.ts'
import { explainPlan } from './plan/explain-plan.ts'
import { makePlan } from './plan/make-plan.ts'
import { divisibilityOf, partOfGrid, type Divisibility } from './plan/divide-range.ts'
import { rewritePlan } from './plan/rewrite-plan.ts'
import type { Plan, StepGrid } from './plan/plan.ts'
import type { AbortFlag } from './query-context.ts'
import { QueryContext } from './query-context.ts'
import { QueryError } from './query-error.ts'
import type { QueryResult, ResultBuffers, ResultSeries } from './query-result.ts'
import type { Queryable } from './storage.ts'

export interface EngineOptions {
  /** How old a sample may be to count as current. Default: 5 min. */
  readonly lookbackMs?: number
  /** Step of a subquery that names none: the global evaluation interval. Default: 1 min. */
  readonly subqueryStepMs?: number
  /** Samples that one query may hold at a time. Default: 50,000,000. */
  readonly samplesMax?: number
  /** Bytes of columns that one query may hold at a time. Default: 1 GiB. */
  readonly bytesMax?: number
  /** See `QueryLimits`. */
  readonly cover?: (bytes: number) => string | undefined
  /** Default: 2 min. */
  readonly timeoutMs?: number
  /** Ends the query soon after `aborted` turns true. */
  readonly signal?: AbortFlag
  readonly parse?: ParseOptions
  /** `promql-delayed-name-removal`. Default: off. */
  readonly delayedNameRemoval?: boolean
  /** `type-and-unit-labels`: the remark on what may be no counter goes by the label __type__, not by the name. Default: off. */
  readonly typeAndUnitLabels?: boolean
  /** `use-start-timestamps`: counters were zero when their counting began. Default: off. */
  readonly useStartTimestamps?: boolean
  /** Columns of results come from here: a result is then valid until the next evaluation. Default: each has its own. */
  readonly resultBuffers?: ResultBuffers
  /** Warnings and infos returned of each kind. Default: 10, as Prometheus' API shows. */
  readonly annotationsMax?: number
  /** The result says what each part of the plan took. Default: off, and then nothing is measured. */
  readonly analyze?: boolean
  /** Statistics have the samples by step. Default: off. */
  readonly countsPerStep?: boolean
  /** A clock in ms; only differences count. */
  readonly now?: () => number
}

/**
 * Evaluates a query at one instant. Synchronous and busy until done: meant for a worker thread. A parsed expression comes with the
 * `text` it was parsed from, which annotations name places in. Throws QueryError; a text that cannot be parsed gives kind 'bad_data'.
 */
export function evaluateInstant(
  options: EngineOptions,
  queryable: Queryable,
  query: string | Expression,
  timeMs: number,
  text = '',
): QueryResult {
  return evaluate(options, queryable, query, text, { startMs: timeMs, stepMs: 0, steps: 1 })
}

/** Evaluates a query at startMs, startMs + stepMs, … up to endMs. The result is a matrix sorted by labels. Throws as evaluateInstant. */
export function evaluateRange(
  options: EngineOptions,
  queryable: Queryable,
  query: string | Expression,
  startMs: number,
  endMs: number,
  stepMs: number,
  text = '',
): QueryResult {
  return evaluate(options, queryable, query, text, gridOfRange(startMs, endMs, stepMs), endMs)
}

/** A range query whose parts, each with some of the steps, may be evaluated apart. */
export interface PreparedRange {
  readonly text: string
  readonly plan: Plan
  readonly grid: StepGrid
  readonly endMs: number
  readonly divisibility: Divisibility
}

/** Reads and plans a range query. Throws as evaluateInstant. */
export function prepareRange(options: EngineOptions, query: string, startMs: number, endMs: number, stepMs: number): PreparedRange {
  const grid = gridOfRange(startMs, endMs, stepMs)
  const expression = parse(query, options.parse)
  checkType(expression, true)
  const plan = planQuery(options, expression, query, grid, endMs)
  return { text: query, plan, grid, endMs, divisibility: divisibilityOf(plan, grid, options.lookbackMs ?? lookbackMsDefault) }
}

/**
 * Evaluates part `index` of `count`, in the order of their steps, as `evaluateRange` would evaluate the whole: what the query says of its range is that of
 * the whole. A part has at least one step.
 */
export function evaluatePart(
  options: EngineOptions,
  queryable: Queryable,
  range: PreparedRange,
  index: number,
  count: number,
): QueryResult {
  const now = options.now ?? (() => performance.now())
  return evaluatePlanned(
    options,
    queryable,
    { ...range, type: 'matrix' },
    partOfGrid(range.grid, range.divisibility.reachMs, index, count),
    now(),
  )
}

/** The plan of an instant query, of which nothing is evaluated. Throws as evaluateInstant. */
export function explainInstant(options: EngineOptions, query: string, timeMs: number): ExplainedPart {
  return explain(options, query, { startMs: timeMs, stepMs: 0, steps: 1 }, timeMs)
}

/** The plan of a range query, of which nothing is evaluated. Throws as evaluateInstant. */
export function explainRange(options: EngineOptions, query: string, startMs: number, endMs: number, stepMs: number): ExplainedPart {
  return explain(options, query, gridOfRange(startMs, endMs, stepMs), endMs)
}

function explain(options: EngineOptions, query: string, grid: StepGrid, endMs: number): ExplainedPart {
  const expression = parse(query, options.parse)
  checkType(expression, grid.stepMs > 0)
  return explainPlan(planQuery(options, expression, query, grid, endMs), grid.steps)
}

function gridOfRange(startMs: number, endMs: number, stepMs: number): StepGrid {
  if (!(stepMs > 0) || endMs < startMs) {
    throw new QueryError('bad_data', `cannot evaluate range: want a positive step and end ≥ start, got ${startMs}..${endMs} step ${stepMs}`)
  }
  return { startMs, stepMs, steps: Math.floor((endMs - startMs) / stepMs) + 1 }
}

function evaluate(
  options: EngineOptions,
  queryable: Queryable,
  query: string | Expression,
  writtenText: string,
  grid: StepGrid,
  endMs = grid.startMs,
): QueryResult {
  const now = options.now ?? (() => performance.now())
  const begunMs = now()
  const text = typeof query === 'string' ? query : writtenText
  const expression = typeof query === 'string' ? parse(query, options.parse) : query
  const isRange = grid.stepMs > 0
  const type = checkType(expression, isRange)
  const plan = planQuery(options, expression, text, grid, endMs)
  return evaluatePlanned(options, queryable, { text, plan, grid, endMs, type: isRange ? 'matrix' : type }, grid, begunMs)
}

interface PlannedQuery {
  readonly text: string
  readonly plan: Plan
  /** Of the query as a whole. */
  readonly grid: StepGrid
  readonly endMs: number
  readonly type: ValueType
}

/** `grid`: the steps to evaluate. */
function evaluatePlanned(
  options: EngineOptions,
  queryable: Queryable,
  { text, plan, grid: whole, endMs, type }: PlannedQuery,
  grid: StepGrid,
  begunMs: number,
): QueryResult {
  const now = options.now ?? (() => performance.now())
  const context = new QueryContext(
    text,
    queryable,
    {
      samplesMax: options.samplesMax ?? 50_000_000,
      bytesMax: options.bytesMax ?? 1 << 30,
      cover: options.cover,
      timeoutMs: options.timeoutMs ?? 120_000,
      signal: options.signal,
      now,
    },
    {
      lookbackMs: options.lookbackMs ?? lookbackMsDefault,
      delayedNameRemoval: options.delayedNameRemoval ?? false,
      typeAndUnitLabels: options.typeAndUnitLabels ?? false,
      useStartTimestamps: options.useStartTimestamps ?? false,
      startMs: whole.startMs,
      endMs,
      stepMs: whole.stepMs,
      steps: grid.steps,
      isProfiled: options.analyze === true,
      countsPerStep: options.countsPerStep ?? false,
      resultBuffers: options.resultBuffers,
    },
  )
  const series = evaluatePlan(context, plan, grid)
  context.statistics.evaluationMs = now() - begunMs
  context.statistics.series = series.labels.length
  return {
    type,
    series,
    text: plan.kind === 'text' ? plan.value : '',
    timeMs: grid.startMs,
    ...context.annotations.render(options.annotationsMax ?? 10),
    remarks: context.annotations.remarks,
    statistics: context.statistics,
    ...(context.profile && { explanation: explainPlan(plan, grid.steps, context.profile) }),
  }
}

const lookbackMsDefault = 300_000

function planQuery(options: EngineOptions, expression: Expression, text: string, { startMs, stepMs }: StepGrid, endMs: number): Plan {
  const made = makePlan(expression, { text, startMs, endMs, stepMs, subqueryStepMs: options.subqueryStepMs ?? 60_000 })
  return rewritePlan(made, { isRange: stepMs > 0 })
}

function checkType(expression: Expression, isRange: boolean): ValueType {
  const type = typeOf(expression)
  if (!isRange || type === 'scalar' || type === 'vector') return type
  const got = type === 'matrix' ? 'range vector' : type
  throw new QueryError('bad_data', `invalid expression type "${got}" for range query, must be Scalar or instant Vector`)
}

function parse(text: string, options: ParseOptions | undefined): Expression {
  try {
    return parseExpression(text, options)
  } catch (error) {
    if (error instanceof ParseError) throw new QueryError('bad_data', error.message, { cause: error })
    throw error
  }
}

function evaluatePlan(context: QueryContext, plan: Plan, grid: StepGrid): ResultSeries {
  const isRange = grid.stepMs > 0
  switch (plan.type) {
    case 'string':
      return emptyResult
    case 'scalar': {
      const values = evaluateScalar(context, plan, grid, buildVector)
      const times = values.map((_, i) => grid.startMs + i * grid.stepMs)
      return { labels: [Labels.empty], offsets: Uint32Array.of(0, values.length), times, values, histograms: undefined }
    }
    case 'matrix':
      return collectSamples(context, plan, grid)
    case 'vector':
      return collectResult(context, buildVector(context, plan, grid), grid, isRange)
  }
}

const emptyResult: ResultSeries = {
  labels: [],
  offsets: Uint32Array.of(0),
  times: new Float64Array(0),
  values: new Float64Array(0),
  histograms: undefined,
}
