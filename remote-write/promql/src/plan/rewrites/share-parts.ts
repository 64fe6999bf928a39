import { mapParts, partsOf } from '../map-plan.ts'
import type { Plan, Shift } from '../plan.ts'

/**
 * Marks parts of a query that are equal but for their places in the text, so that each is evaluated once. Of nested ones the largest: what stands
 * inside is marked only if it also stands elsewhere. Looked at are vectors that read from the storage. Not range selectors: to keep all their samples takes
 * several times the memory, and spared a tenth of the time.
 */
export function shareParts(plan: Plan, isRange: boolean): Plan {
  const forms = new Forms()
  forms.number(plan)
  return forms.hasTwins ? new PartSharing(forms, isRange).share(plan) : plan
}

class PartSharing {
  readonly #forms: Forms
  readonly #isRange: boolean
  /** How often each form stands under the same subqueries. */
  readonly #uses = new Map<string, number>()
  readonly #numbers = new Map<string, number>()

  constructor(forms: Forms, isRange: boolean) {
    this.#forms = forms
    this.#isRange = isRange
  }

  share(plan: Plan): Plan {
    this.#count(plan, '', undefined)
    for (const [key, count] of this.#uses) if (count > 1) this.#numbers.set(key, this.#numbers.size + 1)
    return this.#numbers.size === 0 ? plan : this.#mark(plan, '', undefined)
  }

  #count(plan: Plan, scope: string, parent: Plan | undefined): void {
    const key = this.#keyOf(plan, scope, parent)
    if (key !== undefined) {
      const count = this.#uses.get(key) ?? 0
      this.#uses.set(key, count + 1)
      if (count > 0) return
    }
    for (const part of evaluatedParts(plan)) this.#count(part, scopeOf(plan, scope), plan)
  }

  #mark(plan: Plan, scope: string, parent: Plan | undefined): Plan {
    const inner = scopeOf(plan, scope)
    const evaluated = evaluatedParts(plan)
    const marked = mapParts(plan, (part) => (evaluated.includes(part) ? this.#mark(part, inner, plan) : part))
    const key = this.#keyOf(plan, scope, parent)
    const number = key === undefined ? undefined : this.#numbers.get(key)
    return number === undefined ? marked : { ...marked, shared: { number, uses: this.#uses.get(key!)! } }
  }

  /** A part is the same only if it is evaluated at the same steps: those of the query, or of the same subquery. undefined: it is not shared here. */
  #keyOf(plan: Plan, scope: string, parent: Plan | undefined): string | undefined {
    if (plan.type !== 'vector' || !this.#forms.reads(plan)) return undefined
    // The newest sample of each series is read again as soon as it is kept, if an aggregation takes it.
    const isOneStep = scope === '' && !this.#isRange
    if (isOneStep && plan.kind === 'selector' && parent?.kind === 'aggregation') return undefined
    return `${this.#forms.number(plan)} ${scope}`
  }
}

function scopeOf(plan: Plan, scope: string): string {
  return plan.kind === 'subquery' ? `${scope}[${plan.rangeMs}:${plan.stepMs}]${textOfShift(plan.shift)}` : scope
}

/** The parts that are evaluated as such; the others are taken apart by what they stand in. */
function evaluatedParts(plan: Plan): readonly Plan[] {
  if (plan.kind === 'window') return []
  if (plan.kind !== 'call') return partsOf(plan)
  if (plan.name === 'info') return plan.args.slice(0, 1)
  if (plan.name === 'timestamp' || plan.name === 'start_timestamp') return plan.args.filter(({ kind }) => kind !== 'selector')
  return plan.args
}

/** Numbers the different forms of plans: equal ones have one number, wherever they stand. Linear in the size of the plan. */
class Forms {
  hasTwins = false
  readonly #numbers = new Map<Plan, number>()
  readonly #byText = new Map<string, number>()
  readonly #reading = new Set<Plan>()

  /** Numbers the plan and all its parts, each once. */
  number(plan: Plan): number {
    const known = this.#numbers.get(plan)
    if (known !== undefined) return known
    const parts = partsOf(plan)
    const text = JSON.stringify([textOfHead(plan), ...parts.map((part) => this.number(part))])
    if (plan.kind === 'selector' || parts.some((part) => this.#reading.has(part))) this.#reading.add(plan)
    let number = this.#byText.get(text)
    if (number === undefined) {
      number = this.#byText.size
      this.#byText.set(text, number)
    } else if (this.#reading.has(plan)) this.hasTwins = true
    this.#numbers.set(plan, number)
    return number
  }

  /** Whether it reads from the storage. */
  reads(plan: Plan): boolean {
    return this.#reading.has(plan)
  }
}

/** All that a plan says beside its parts and its place. */
function textOfHead(plan: Plan): string {
  switch (plan.kind) {
    case 'number':
      return `number ${Object.is(plan.value, -0) ? '-0' : plan.value}`
    case 'text':
      return `text ${plan.value}`
    case 'selector':
      return `selector ${JSON.stringify(plan.matchers.map(String))} ${plan.smoothed} ${plan.statisticsOnly}${textOfShift(plan.shift)}`
    case 'window':
      return `window ${plan.rangeMs} ${plan.mode}`
    case 'subquery':
      return `subquery ${plan.rangeMs} ${plan.stepMs}${textOfShift(plan.shift)}`
    case 'negation':
      return 'negation'
    case 'call':
      return `call ${plan.name}`
    case 'aggregation':
      return `aggregation ${plan.operator} ${plan.without} ${JSON.stringify(plan.grouping)} ${plan.parameter !== undefined}`
    case 'binary':
      return `binary ${plan.operator} ${plan.returnBool} ${JSON.stringify(textOfMatching(plan.matching))}`
  }
}

function textOfMatching(matching: Extract<Plan, { kind: 'binary' }>['matching']): unknown {
  // As text: infinities and NaN have no form in JSON.
  return matching && { ...matching, fillLeft: String(matching.fillLeft), fillRight: String(matching.fillRight) }
}

function textOfShift({ offsetMs, atMs }: Shift): string {
  return ` offset ${offsetMs} @ ${atMs ?? ''}`
}
