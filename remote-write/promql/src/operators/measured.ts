import type { Plan, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import type { QueryProfile } from '../query-profile.ts'
import type { SampleSeries, SampleSource, StepSeries, VectorOperator } from './operator.ts'
import { countPresent } from './operator.ts'

interface Operator<Series> {
  next(): Series | undefined
  readonly distinctWithoutName: boolean
}

/** Builds the operator of a plan; of a query that is profiled one that measures itself, building included. */
export function measureVector(context: QueryContext, plan: Plan, grid: StepGrid, build: () => VectorOperator): VectorOperator {
  return context.profile === undefined ? build() : measure(context.profile, plan, grid, build, countSteps)
}

/** As `measureVector`, of a range vector. */
export function measureSource(context: QueryContext, plan: Plan, grid: StepGrid, build: () => SampleSource): SampleSource {
  return context.profile === undefined ? build() : measure(context.profile, plan, grid, build, countSamples)
}

function countSteps({ present }: StepSeries): number {
  return countPresent(present)
}

function countSamples({ length, histograms }: SampleSeries): number {
  return length + (histograms?.times.length ?? 0)
}

function measure<Series>(
  profile: QueryProfile,
  plan: Plan,
  { steps }: StepGrid,
  build: () => Operator<Series>,
  count: (series: Series) => number,
): Operator<Series> {
  const within = <Result>(run: () => Result): Result => {
    profile.enter(plan, steps)
    try {
      return run()
    } finally {
      profile.leave()
    }
  }
  const operator = within(build)
  const next = () => {
    const series = operator.next()
    if (series !== undefined) profile.count(count(series))
    return series
  }
  return { distinctWithoutName: operator.distinctWithoutName, next: () => within(next) }
}
