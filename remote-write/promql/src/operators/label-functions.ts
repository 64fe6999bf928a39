import type { ReplacementTemplate } from '@narthex/model/go-expand'
import { fillReplacement, parseReplacement } from '@narthex/model/go-expand'
import type { Labels } from '@narthex/model/labels'
import { isValidLabelName } from '@narthex/model/name'
import type { AnchoredRegex } from '@narthex/model/regex'
import { compileRegex } from '@narthex/model/regex'
import type { CallPlan, Plan } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import { QueryError } from '../query-error.ts'
import { MergeLabelsOperator } from './merge-labels.ts'
import type { StepSeries, VectorOperator } from './operator.ts'

/** Changes the labels of every series; what becomes the same is joined where it does not overlap. */
class RelabelOperator implements VectorOperator {
  readonly distinctWithoutName = false
  readonly #input: VectorOperator
  readonly #relabel: (labels: Labels) => Labels | undefined
  readonly #writesName: boolean

  /** `relabel` gives undefined to leave a series alone. A name that was written by hand stays even if it was about to be dropped. */
  constructor(input: VectorOperator, relabel: (labels: Labels) => Labels | undefined, writesName: boolean) {
    this.#input = input
    this.#relabel = relabel
    this.#writesName = writesName
  }

  next(): StepSeries | undefined {
    const series = this.#input.next()
    if (series === undefined) return undefined
    const labels = this.#relabel(series.labels)
    if (labels === undefined) return series
    if (this.#writesName) series.dropName = false
    series.labels = labels
    return series
  }
}

export function buildLabelReplace(context: QueryContext, plan: CallPlan, input: VectorOperator): VectorOperator {
  const [, destination, replacement, source, pattern] = plan.args.map(textOf)
  let regex: AnchoredRegex
  try {
    regex = compileRegex(pattern!)
  } catch (error) {
    throw new QueryError('execution', `invalid regular expression in label_replace(): ${pattern!}`, { cause: error })
  }
  checkLabelName(destination!, 'destination label name in label_replace()')
  const template = parseReplacement(replacement!)
  const writesName = destination === '__name__'
  const relabel = (labels: Labels) => replaceLabel(labels, destination!, source!, regex, template)
  const operator = new RelabelOperator(input, relabel, writesName)
  return new MergeLabelsOperator(context, operator)
}

function replaceLabel(
  labels: Labels,
  destination: string,
  source: string,
  regex: AnchoredRegex,
  template: ReplacementTemplate,
): Labels | undefined {
  const match = regex.match(labels.get(source))
  return match === undefined ? undefined : labels.with(destination, fillReplacement(template, match, regex.groupNames))
}

export function buildLabelJoin(context: QueryContext, plan: CallPlan, input: VectorOperator): VectorOperator {
  const [, destination, separator, ...sources] = plan.args.map(textOf)
  for (const source of sources) checkLabelName(source, 'source label name in label_join()')
  checkLabelName(destination!, 'destination label name in label_join()')
  const relabel = (labels: Labels) => labels.with(destination!, sources.map((source) => labels.get(source)).join(separator))
  return new MergeLabelsOperator(context, new RelabelOperator(input, relabel, destination === '__name__'))
}

function checkLabelName(name: string, what: string): void {
  if (!isValidLabelName(name)) throw new QueryError('execution', `invalid ${what}: ${name}`)
}

/** Text of a string argument; '' for others. */
export function textOf(plan: Plan): string {
  return plan.kind === 'text' ? plan.value : ''
}
