import type { QueryProfile } from '../query-profile.ts'
import { partsOf } from './map-plan.ts'
import type { Plan, SelectorPlan } from './plan.ts'
import { printHead, printScan } from './print-plan.ts'

/** One part of a plan, as the API shows it. */
export interface ExplainedPart {
  readonly operator: string
  /** As a query says it: `sum by (job)`, `up{job="a"}[5m]`. */
  readonly detail: string
  /** What was done to the part so that it takes less, one text each. */
  readonly rewrites: readonly string[]
  /** Of a query that was evaluated, and a part that was. */
  readonly measures?: ExplainedMeasures
  readonly children: readonly ExplainedPart[]
}

export interface ExplainedMeasures {
  /** Instants the part was evaluated at. */
  readonly steps: number
  /** With the parts below. */
  readonly seconds: number
  readonly ownSeconds: number
  /** Series and samples that it gave to the part above. */
  readonly series: number
  readonly samples: number
  /** From the storage; of a selector. */
  readonly samplesRead?: number
  /** Most that the part held itself at one time. */
  readonly bytes: number
}

/** `steps`: how many the query has. With a profile each part says what it took. */
export function explainPlan(plan: Plan, steps: number, profile?: QueryProfile): ExplainedPart {
  return new Explainer(steps, profile).explain(plan, false)
}

class Explainer {
  readonly #steps: number
  readonly #profile: QueryProfile | undefined
  readonly #sharedSeen = new Set<number>()

  constructor(steps: number, profile: QueryProfile | undefined) {
    this.#steps = steps
    this.#profile = profile
  }

  /** `isInvariant`: something above is the same at every step already. */
  explain(plan: Plan, isInvariant: boolean): ExplainedPart {
    const rewrites: string[] = []
    if (plan.kind === 'selector') rewrites.push(...rewritesOfScan(plan))
    if (plan.kind === 'window') rewrites.push(...rewritesOfScan(plan.selector))
    const isOnce = plan.invariant && plan.type === 'vector' && this.#steps > 1
    if (isOnce && !isInvariant) rewrites.push('the same at every step: evaluated once')
    const isRepeated = plan.shared !== undefined && this.#sharedSeen.has(plan.shared.number)
    if (plan.shared !== undefined) {
      const { number, uses } = plan.shared
      this.#sharedSeen.add(number)
      rewrites.push(
        isRepeated ? `common subexpression ${number}: see above` : `common subexpression ${number}: evaluated once for ${uses} uses`,
      )
    }
    // A selector in a window is what the window itself shows.
    const parts = isRepeated || plan.kind === 'window' ? [] : partsOf(plan)
    const children = parts.map((part) => this.explain(part, isInvariant || isOnce))
    const measures = this.#measure(plan, children)
    return { operator: operatorNames[plan.kind], detail: printHead(plan), rewrites, ...(measures && { measures }), children }
  }

  #measure(plan: Plan, children: readonly ExplainedPart[]): ExplainedMeasures | undefined {
    const own = this.#profile?.of(plan)
    if (own === undefined) return undefined
    const { steps, milliseconds, series, samples, samplesRead, peakBytes } = own
    const below = children.reduce((sum, { measures }) => sum + (measures?.seconds ?? 0), 0)
    const ownSeconds = roundSeconds(milliseconds / 1000)
    const scanned = plan.kind === 'selector' || plan.kind === 'window' ? { samplesRead } : {}
    return { steps, seconds: roundSeconds(ownSeconds + below), ownSeconds, series, samples, ...scanned, bytes: peakBytes }
  }
}

const operatorNames: Readonly<Record<Plan['kind'], string>> = {
  number: 'number',
  text: 'string',
  selector: 'selector',
  window: 'range selector',
  subquery: 'subquery',
  negation: 'negation',
  call: 'function',
  aggregation: 'aggregation',
  binary: 'binary operator',
}

function rewritesOfScan(plan: SelectorPlan): string[] {
  const { matchers, anyOrder, labels } = plan.scan
  if (matchers === undefined) return ['matchers contradict each other: not scanned']
  const texts: string[] = []
  if (matchers !== plan.matchers) texts.push(`matchers merged: ${printScan(plan)}`)
  if (anyOrder) texts.push('series in any order')
  if (labels !== undefined) texts.push(labels.length === 0 ? 'no labels' : `labels only ${labels.join(', ')}`)
  return texts
}

/** To the microsecond, without the noise of binary fractions. */
function roundSeconds(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6
}
