import type { Labels } from '@narthex/model/labels'
import { makeArithmetic, makeComparison } from '../functions/binary-arithmetic.ts'
import type { VectorMatching } from '../parse/ast.ts'
import { isComparison } from '../parse/ast.ts'
import type { BinaryPlan, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { QueryError } from '../query-error.ts'
import type { Operand } from './combine-operands.ts'
import { OperandCombiner } from './combine-operands.ts'
import { duplicateMatchError, makeSignature } from './matching-labels.ts'
import type { StepSeries, VectorOperator } from './operator.ts'
import { histogramBytes, stepSeriesBytes } from './operator.ts'
import { SeriesStore } from './series-store.ts'

/** Series of both sides that agree in the matching labels. "many" is the side that may have several at one step. */
interface MatchGroup {
  readonly many: StepSeries[]
  readonly one: StepSeries[]
}

interface Output extends StepSeries {
  /** Steps at which a match was found, also those that a comparison filtered away: two matches are an error either way. */
  readonly matched: Uint8Array
  /** What its histograms take of the budget. */
  histogramBytes: number
}

/** Of two operands: what does not go together gives none, a comparison may filter them. */
type Result = Operand | 'none' | 'filtered'

/** Arithmetic and comparisons between two vectors, with on, ignoring, group_left, group_right and fill. */
export class MatchVectorsOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #plan: BinaryPlan
  readonly #matching: VectorMatching
  readonly #steps: number
  readonly #combiner: OperandCombiner
  readonly #left: VectorOperator
  readonly #right: VectorOperator
  readonly #keepsName: boolean
  /** Steps at which the many side, and the one side, have any series: with either empty nothing is compared. */
  readonly #anyMany: Uint8Array
  #groups: Iterator<MatchGroup> | undefined
  #ready: Output[] = []

  constructor(context: QueryContext, plan: BinaryPlan, left: VectorOperator, right: VectorOperator, grid: StepGrid) {
    this.#context = context
    this.#plan = plan
    this.#matching = plan.matching!
    this.#combiner = new OperandCombiner(context, plan)
    this.#steps = grid.steps
    this.#left = left
    this.#right = right
    this.#keepsName = isTrim(plan.operator) || (isComparison(plan.operator) && !plan.returnBool)
    this.#anyMany = new Uint8Array(grid.steps)
    this.distinctWithoutName = !this.#keepsName && !(plan.returnBool && context.delayedNameRemoval)
  }

  next(): StepSeries | undefined {
    this.#groups ??= this.#collect().values()
    for (;;) {
      const ready = this.#ready.pop()
      if (ready !== undefined) {
        this.#context.release(0, stepSeriesBytes(this.#steps) + ready.histogramBytes)
        if (ready.present.includes(1)) return ready
        continue
      }
      const { value: group, done } = this.#groups.next()
      if (done === true) return undefined
      this.#context.checkAlive()
      this.#ready = this.#combine(group).reverse()
    }
  }

  #collect(): Map<string, MatchGroup> {
    const swapped = this.#matching.cardinality === 'one-to-many'
    const [manySide, oneSide] = swapped ? [this.#right, this.#left] : [this.#left, this.#right]
    const signature = makeSignature(this.#matching)
    const groups = new Map<string, MatchGroup>()
    const many = SeriesStore.collect(this.#context, manySide)
    for (const series of many.series) {
      for (let i = 0; i < this.#steps; i++) this.#anyMany[i]! |= series.present[i]!
      groupOf(groups, signature(series.labels)).many.push(series)
    }
    for (const series of SeriesStore.collect(this.#context, oneSide).series) groupOf(groups, signature(series.labels)).one.push(series)
    // That a side is not as it must be is told before what comes of a match.
    for (const { one } of groups.values()) if (one.length > 1) this.#chooseOne(one)
    return groups
  }

  #combine({ many, one }: MatchGroup): Output[] {
    const { fillLeft, fillRight } = this.#matching
    const hasFill = fillLeft !== undefined || fillRight !== undefined
    if (!hasFill && (one.length === 0 || many.length === 0)) return []
    const chosen = this.#chooseOne(one)
    const outputs = new Map<string, Output>()
    const groupMatched = new Uint8Array(this.#steps)
    for (const series of many) this.#combineSeries(series, one, chosen, groupMatched, outputs)
    if (fillLeft !== undefined) this.#fillMany(fillLeft, one, chosen, groupMatched, outputs)
    return [...outputs.values()]
  }

  /** Which series of the one side is there at each step (-1: none). Two at one step cannot be matched. */
  #chooseOne(one: readonly StepSeries[]): Int32Array {
    const chosen = new Int32Array(this.#steps).fill(-1)
    const { fillLeft, fillRight } = this.#matching
    const fills = fillLeft !== undefined || fillRight !== undefined
    one.forEach(({ present, labels }, number) => {
      for (let i = 0; i < present.length; i++) {
        if (present[i] === 0) continue
        if (chosen[i]! >= 0 && (fills || this.#anyMany[i] !== 0)) throw duplicateMatchError(this.#matching, one[chosen[i]!]!.labels, labels)
        chosen[i] = number
      }
    })
    return chosen
  }

  #combineSeries(
    series: StepSeries,
    one: readonly StepSeries[],
    chosen: Int32Array,
    groupMatched: Uint8Array,
    outputs: Map<string, Output>,
  ): void {
    const { fillRight, cardinality } = this.#matching
    const isOneToOne = cardinality === 'one-to-one'
    const compute = this.#compute()
    const { values, present } = series
    const hasHistograms = series.histograms !== undefined || one.some(({ histograms }) => histograms !== undefined)
    const mayNotFit = hasHistograms || isTrim(this.#plan.operator)
    let output: Output | undefined
    let outputOf = -2
    for (let i = 0; i < present.length; i++) {
      if (present[i] === 0) continue
      const number = chosen[i]!
      if (number < 0 && fillRight === undefined) continue
      if (number !== outputOf) {
        const labels = number < 0 ? this.#matchingLabels(series.labels) : one[number]!.labels
        output = this.#output(outputs, series.labels, series.dropName, labels)
        outputOf = number
      }
      const oneValue = number < 0 ? fillRight! : one[number]!.values[i]!
      let result: Operand | 'filtered' | undefined
      if (mayNotFit) {
        const combined = this.#combineOperands(series.histograms?.[i] ?? values[i]!, one[number]?.histograms?.[i] ?? oneValue)
        // What does not go together is no match.
        if (combined === 'none') continue
        result = combined
      }
      if (isOneToOne) {
        if (groupMatched[i] !== 0) throw multipleMatchesError('many-to-one matching must be explicit (group_left/group_right)')
      } else if (output!.matched[i] !== 0) throw multipleMatchesError('grouping labels must ensure unique matches')
      groupMatched[i] = 1
      output!.matched[i] = 1
      if (result === undefined) compute(output!, i, values[i]!, oneValue)
      else if (result !== 'filtered') this.#keep(output!, i, result)
    }
  }

  /** For what is only on the one side, a series with the matching labels alone stands in on the many side. */
  #fillMany(fill: number, one: readonly StepSeries[], chosen: Int32Array, groupMatched: Uint8Array, outputs: Map<string, Output>): void {
    const compute = this.#compute()
    for (let i = 0; i < this.#steps; i++) {
      const number = chosen[i]!
      if (number < 0 || groupMatched[i] !== 0) continue
      const { labels, values, dropName, histograms } = one[number]!
      const output = this.#output(outputs, this.#matchingLabels(labels), dropName, labels)
      const histogram = histograms?.[i]
      if (histogram === undefined && !isTrim(this.#plan.operator)) {
        compute(output, i, fill, values[i]!)
        continue
      }
      const result = this.#combineOperands(fill, histogram ?? values[i]!)
      if (result !== 'none' && result !== 'filtered') this.#keep(output, i, result)
    }
  }

  #matchingLabels(labels: Labels): Labels {
    const { on, labels: names } = this.#matching
    return on ? labels.keep(...names) : labels.without('__name__', ...names)
  }

  /** Sets one step of an output from the values of the many and the one side. */
  #compute(): (output: Output, step: number, many: number, one: number) => void {
    const { operator, returnBool } = this.#plan
    const swapped = this.#matching.cardinality === 'one-to-many'
    // Floats cannot be trimmed.
    if (isTrim(operator)) return () => {}
    if (!isComparison(operator)) {
      const compute = makeArithmetic(operator)
      return (output, step, many, one) => {
        output.values[step] = swapped ? compute(one, many) : compute(many, one)
        output.present[step] = 1
      }
    }
    const compare = makeComparison(operator)
    return (output, step, many, one) => {
      const left = swapped ? one : many
      const holds = compare(left, swapped ? many : one)
      if (!holds && !returnBool) return
      output.values[step] = returnBool ? (holds ? 1 : 0) : left
      output.present[step] = 1
    }
  }

  /** What comes of a many and a one side of which either may be a histogram. */
  #combineOperands(many: Operand, one: Operand): Result {
    const { operator, returnBool } = this.#plan
    const swapped = this.#matching.cardinality === 'one-to-many'
    const [left, right] = swapped ? [one, many] : [many, one]
    if (isTrim(operator) || !isComparison(operator)) return this.#combiner.compute(left, right) ?? 'none'
    const holds = this.#combiner.compare(left, right)
    if (holds === undefined) return 'none'
    if (returnBool) return holds ? 1 : 0
    return holds ? left : 'filtered'
  }

  #keep(output: Output, step: number, result: Operand): void {
    output.present[step] = 1
    if (typeof result === 'number') output.values[step] = result
    else {
      const bytes = histogramBytes(result)
      this.#context.hold(0, bytes)
      output.histogramBytes += bytes
      output.histograms ??= []
      output.histograms[step] = result
    }
  }

  #output(outputs: Map<string, Output>, manyLabels: Labels, dropName: boolean, oneLabels: Labels): Output {
    const labels = this.#resultLabels(manyLabels, oneLabels)
    const key = labels.key()
    let output = outputs.get(key)
    if (output === undefined) {
      this.#context.hold(0, stepSeriesBytes(this.#steps))
      output = {
        labels,
        dropName: this.#keepsName ? dropName : this.#plan.returnBool && this.#context.delayedNameRemoval,
        values: new Float64Array(this.#steps),
        present: new Uint8Array(this.#steps),
        histograms: undefined,
        matched: new Uint8Array(this.#steps),
        histogramBytes: 0,
      }
      outputs.set(key, output)
    }
    return output
  }

  #resultLabels(many: Labels, one: Labels): Labels {
    const { cardinality, on, labels: names, include } = this.#matching
    const { returnBool } = this.#plan
    const { delayedNameRemoval, droppedLabels } = this.#context
    let labels = many
    // With delayed removal a bool comparison only marks the name.
    if (!this.#keepsName && !(returnBool && delayedNameRemoval)) labels = labels.without(...droppedLabels)
    if (cardinality === 'one-to-one') return on ? labels.keep(...names) : labels.without(...names)
    for (const name of include) labels = labels.with(name, one.get(name))
    return labels
  }
}

function isTrim(operator: BinaryPlan['operator']): boolean {
  return operator === '</' || operator === '>/'
}

function groupOf(groups: Map<string, MatchGroup>, key: string): MatchGroup {
  let group = groups.get(key)
  if (group === undefined) {
    group = { many: [], one: [] }
    groups.set(key, group)
  }
  return group
}

function multipleMatchesError(reason: string): QueryError {
  return new QueryError('execution', `multiple matches for labels: ${reason}`)
}
