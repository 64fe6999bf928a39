import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import type { Plan, StepGrid } from '../plan/plan.ts'
import { SingleSeriesOperator } from './constant-series.ts'
import type { VectorOperator } from './operator.ts'

/** 1 at the steps where `input` has no series, under the labels that the argument's matchers fix. */
export function buildAbsent(argument: Plan, input: VectorOperator, grid: StepGrid): VectorOperator {
  const present = new Uint8Array(grid.steps).fill(1)
  for (let series = input.next(); series !== undefined; series = input.next()) {
    for (let i = 0; i < present.length; i++) if (series.present[i] !== 0) present[i] = 0
  }
  return new SingleSeriesOperator(new Float64Array(grid.steps).fill(1), present, labelsOfAbsent(argument))
}

/** A label that several matchers speak of is left out, as is one without an `=` matcher. */
function labelsOfAbsent(argument: Plan): Labels {
  const selector = argument.kind === 'window' ? argument.selector : argument
  if (selector.kind !== 'selector') return Labels.empty
  let labels = Labels.empty
  const seen = new Set<string>()
  for (const { name, type, value } of inOrderOfSearch(selector.matchers)) {
    if (name === '__name__') continue
    if (type === '=' && !seen.has(name)) {
      labels = labels.with(name, value)
      seen.add(name)
    } else labels = labels.without(name)
  }
  return labels
}

/** As Prometheus' storage has put them when it comes to this: those that only take series away stand behind the others. */
function inOrderOfSearch(matchers: readonly Matcher[]): readonly Matcher[] {
  const required = new Set(matchers.filter((matcher) => !matcher.matches('')).map(({ name }) => name))
  const takesAway = (matcher: Matcher) =>
    !required.has(matcher.name) || ((matcher.type === '!=' || matcher.type === '!~') && matcher.matches(''))
  return [...matchers.filter((matcher) => !takesAway(matcher)), ...matchers.filter(takesAway)]
}
