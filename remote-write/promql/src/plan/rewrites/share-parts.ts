import { mapParts, partsOf } from '../map-plan.ts'
import type { Plan, Shift } from '../plan.ts'

/**
 * Marks parts of a query that are equal but for their places in the text, so that each is evaluated once. Of nested ones the largest: what stands
 * inside is marked only if it also stands elsewhere. Looked at are vectors and range selectors that read from the storage.
 */
export function shareParts(plan: Plan): Plan {
  const forms = new Forms()
  forms.number(plan)
  if (!forms.hasTwins) return plan
  const uses = new Map<string, number>()
  countUses(plan, '', forms, uses)
  const numbers = new Map<string, number>()
  for (const [key, count] of uses) if (count > 1) numbers.set(key, numbers.size + 1)
  return numbers.size === 0 ? plan : mark(plan, '', forms, uses, numbers)
}

function countUses(plan: Plan, scope: string, forms: Forms, uses: Map<string, number>): void {
  if (isShareable(plan, forms)) {
    const key = keyOf(plan, scope, forms)
    const count = uses.get(key) ?? 0
    uses.set(key, count + 1)
    if (count > 0) return
  }
  for (const part of evaluatedParts(plan)) countUses(part, scopeOf(plan, scope), forms, uses)
}

function mark(plan: Plan, scope: string, forms: Forms, uses: ReadonlyMap<string, number>, numbers: ReadonlyMap<string, number>): Plan {
  const inner = scopeOf(plan, scope)
  const evaluated = evaluatedParts(plan)
  const marked = mapParts(plan, (part) => (evaluated.includes(part) ? mark(part, inner, forms, uses, numbers) : part))
  if (!isShareable(plan, forms)) return marked
  const key = keyOf(plan, scope, forms)
  const number = numbers.get(key)
  return number === undefined ? marked : { ...marked, shared: { number, uses: uses.get(key)! } }
}

/** A part is the same only if it is evaluated at the same steps: those of the query, or of the same subquery. */
function keyOf(plan: Plan, scope: string, forms: Forms): string {
  return `${forms.number(plan)} ${scope}`
}

function scopeOf(plan: Plan, scope: string): string {
  return plan.kind === 'subquery' ? `${scope}[${plan.rangeMs}:${plan.stepMs}]${textOfShift(plan.shift)}` : scope
}

function isShareable(plan: Plan, forms: Forms): boolean {
  return (plan.type === 'vector' || plan.kind === 'window') && forms.reads(plan)
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
      return `selector ${JSON.stringify(plan.matchers.map(String))} ${plan.smoothed}${textOfShift(plan.shift)}`
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
