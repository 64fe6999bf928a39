import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Labels } from '@narthex/model/labels'
import { SampleColumns } from '@narthex/model/sample-columns'
import { buildVector } from '../operators/build.ts'
import { collectResult } from '../operators/collect.ts'
import { typeOf } from '../parse/ast.ts'
import { parseExpression } from '../parse/parse.ts'
import { QueryContext } from '../query-context.ts'
import { QueryError } from '../query-error.ts'
import type { Queryable, SeriesSet } from '../storage.ts'
import { listSeries } from '../testing/listed-series.ts'
import { makePlan } from './make-plan.ts'
import type { Plan } from './plan.ts'
import { rewritePlan } from './rewrite-plan.ts'
import { markInvariant } from './rewrites/mark-invariant.ts'

const minute = 60_000
const grid = { startMs: 5 * minute, stepMs: minute, steps: 8 }
const endMs = grid.startMs + (grid.steps - 1) * minute

const ramp = (from: number, by: number) => Array.from({ length: 14 }, (_, i) => (i % 5 === from % 5 ? undefined : from + i * by))
const listed = listSeries(minute, {
  'a{x="1",y="1"}': ramp(1, 1),
  'a{x="1",y="2"}': ramp(2, 3),
  'a{x="2",y="1"}': ramp(3, -1),
  'b{x="1",y="1"}': ramp(4, 2),
  'b{x="2"}': ramp(0, 1),
  'c_total{x="2",y="2"}': ramp(7, 5),
})

/** A storage that makes use of what it is allowed: series backwards, without the labels that nobody wants. */
const storage: Queryable = {
  ...listed,
  select(matchers, minTimeMs, maxTimeMs, hints) {
    const labels = hints?.labels
    const set =
      hints?.anyOrder === true ? backwards(listed.select(matchers, minTimeMs, maxTimeMs)) : listed.select(matchers, minTimeMs, maxTimeMs)
    return labels === undefined ? set : { ...set, labels: () => set.labels().keep(...labels) }
  },
}

function backwards(set: SeriesSet): SeriesSet {
  const all: { readonly labels: Labels; readonly columns: SampleColumns }[] = []
  while (set.next()) {
    const columns = new SampleColumns()
    set.samples(columns)
    all.unshift({ labels: set.labels(), columns })
  }
  let at = -1
  return {
    next: () => ++at < all.length,
    labels: () => all[at]!.labels,
    samples: (into) => {
      const { times, words, length } = all[at]!.columns
      for (let i = 0; i < length; i++) into.push(times[i]!, words[2 * i]!, words[2 * i + 1]!)
    },
  }
}

const selector = fc.constantFrom(
  'a',
  'b',
  'c_total',
  'a{x="1"}',
  'a{x=~"1|2",x!="2"}',
  'a{x="1",x="2"}',
  '{x="1"}',
  'b offset 1m',
  'a @ 400',
)
const range = fc.tuple(selector, fc.constantFrom('[3m]', '[5m]')).map(([text, window]) => text.replace(/^([^ ]+)/, `$1${window}`))
const grouping = fc.constantFrom('', 'by (x) ', 'by (x, y) ', 'without (x) ', 'by (__name__) ', 'by (z) ')

const { vector } = fc.letrec<{ vector: string }>((tie) => {
  const inner = tie('vector')
  return {
    vector: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      selector,
      range.chain((text) =>
        fc.constantFrom('rate', 'max_over_time', 'last_over_time', 'count_over_time').map((name) => `${name}(${text})`),
      ),
      fc.tuple(fc.constantFrom('abs', '-', 'timestamp', 'sort', 'absent', ''), inner).map(([name, text]) => `${name}(${text})`),
      inner.map((text) => `max_over_time((${text})[4m:1m])`),
      inner.map((text) => `label_replace(${text}, "z", "$1", "x", "(.*)")`),
      fc.tuple(inner, inner).map(([left, right]) => `clamp_min(${left}, scalar(${right}))`),
      fc
        .tuple(fc.constantFrom('sum', 'count', 'max', 'group', 'quantile', 'topk', 'count_values'), grouping, inner)
        .map(([name, by, text]) => `${name} ${by}(${parameters[name] ?? ''}${text})`),
      fc
        .tuple(
          inner,
          fc.constantFrom('+', '- on (x)', '* ignoring (y)', '/ on (x) group_left ()', '> bool', '<', 'and', 'or', 'unless on (x)'),
          inner,
        )
        .map(([left, operator, right]) => `(${left}) ${operator} (${right})`),
      inner.chain((text) => fc.constantFrom('+', 'and', '/ on () group_left () sum').map((operator) => `(${text}) ${operator} (${text})`)),
    ),
  }
})
const parameters: Readonly<Record<string, string>> = { quantile: '0.5, ', topk: '2, ', count_values: '"v", ' }

interface Outcome {
  readonly lines: readonly string[]
  readonly remarks: readonly string[]
  readonly samplesLooked: number
}

function run(plan: Plan, text: string, isRange: boolean): Outcome | string {
  const limits = { samplesMax: 1e6, bytesMax: 1e9, timeoutMs: 1e6, now: () => 0 }
  const query = { lookbackMs: 2 * minute, delayedNameRemoval: false, typeAndUnitLabels: false, useStartTimestamps: false }
  const steps = isRange ? grid : { ...grid, stepMs: 0, steps: 1 }
  const context = new QueryContext(text, storage, limits, {
    ...query,
    startMs: grid.startMs,
    endMs,
    stepMs: steps.stepMs,
    steps: steps.steps,
    isProfiled: false,
  })
  try {
    const { labels, offsets, times, values } = collectResult(context, buildVector(context, plan, steps), steps, isRange)
    const lines = labels.map((each, i) => {
      const samples = Array.from({ length: offsets[i + 1]! - offsets[i]! }, (_, j) => offsets[i]! + j)
      return `${each.toString()} ${samples.map((j) => `${values[j]!.toPrecision(12)}@${times[j]! / minute}`).join(' ')}`
    })
    const { warnings, infos } = context.annotations.render(1000)
    return { lines, remarks: [...warnings, ...infos].sort(), samplesLooked: context.statistics.totalQueryableSamples }
  } catch (error) {
    if (error instanceof QueryError) return error.message
    throw error
  }
}

// Evaluated first outside of the shared part that it also stands in.
const nestedInShared: [string][] = [
  ['clamp_min(((a) + (rate(a[5m]))) + ((a) + (rate(a[5m]))), scalar(rate(a[5m])))'],
  ['(rate(a[3m])) and (rate(a[3m]))'],
]

describe('a plan that is rewritten', () => {
  it.each([true, false])('gives the same series, remarks, errors and samples looked at as one that is not (range: %j)', (isRange) => {
    fc.assert(
      fc.property(vector, (text) => {
        const expression = parseExpression(text)
        const scope = { text, startMs: grid.startMs, endMs, stepMs: isRange ? grid.stepMs : 0, subqueryStepMs: minute }
        fc.pre(typeOf(expression) === 'vector')
        // Evaluating once what is the same at every step is how operators work, so it is in both.
        const written = markInvariant(makePlan(expression, scope))
        expect(run(rewritePlan(written, { isRange }), text, isRange)).toEqual(run(written, text, isRange))
      }),
      { numRuns: 1500, examples: nestedInShared },
    )
  })
})
