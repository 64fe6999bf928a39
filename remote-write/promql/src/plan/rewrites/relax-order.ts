import type { VectorMatching } from '../../parse/ast.ts'
import { isSetOperator } from '../../parse/ast.ts'
import { mapParts } from '../map-plan.ts'
import type { AggregationPlan, BinaryPlan, CallPlan, Plan } from '../plan.ts'

/**
 * How much the order of a part's series matters to what takes them. `free`: not at all. `sorted later`: the result is put in order at its end, which is
 * cheaper if it is in order already, so a selector keeps its order, and an aggregation above it need not. The larger, the stricter.
 */
const free = 0
const sortedLater = 1
const matters = 2
type Order = typeof free | typeof sortedLater | typeof matters

/** Aggregations that give the same for series in any order, but for the last bits of a sum; Prometheus' own order is that of its index. */
const orderless = new Set(['sum', 'avg', 'count', 'min', 'max', 'group', 'stddev', 'stdvar', 'quantile'])

/** Functions that only ask whether there are series, or how many. */
const counting = new Set(['absent', 'absent_over_time', 'scalar'])

/** Pushes into the scans below aggregations that their series may come as the storage has them: groups take them in any order. */
export function relaxOrder(plan: Plan, isRange: boolean): Plan {
  const top = isRange ? sortedLater : matters
  // Of equal parts only one is evaluated, in the order that the strictest of them needs.
  const strictest = new Map<number, Order>()
  relax(plan, top, (part, order) => {
    if (part.shared === undefined) return order
    const { number } = part.shared
    strictest.set(number, stricter(strictest.get(number) ?? free, order))
    return order
  })
  return relax(plan, top, (part, order) => (part.shared === undefined ? order : strictest.get(part.shared.number)!))
}

type Settle = (part: Plan, order: Order) => Order

function relax(part: Plan, asked: Order, settle: Settle): Plan {
  const order = settle(part, asked)
  if (part.kind === 'selector') return order === free ? { ...part, scan: { ...part.scan, anyOrder: true } } : part
  const orderOf = (inner: Plan) => orderOfPart(part, inner, order)
  return mapParts(part, (inner) => relax(inner, orderOf(inner), settle))
}

function orderOfPart(plan: Plan, part: Plan, order: Order): Order {
  switch (plan.kind) {
    case 'call':
      return orderOfArgument(plan, order)
    case 'aggregation':
      return part === plan.input ? orderOfInput(plan, order) : matters
    case 'binary':
      return orderOfSide(plan, part, order)
    default:
      return order
  }
}

function orderOfArgument({ name }: CallPlan, order: Order): Order {
  if (counting.has(name)) return free
  // Whose labels are in conflict is told of the first.
  return name === 'info' ? matters : order
}

/** Groups come in the order in which they are met. */
function orderOfInput({ operator, grouping, without }: AggregationPlan, order: Order): Order {
  if (!orderless.has(operator)) return matters
  const isOneGroup = grouping.length === 0 && !without
  return isOneGroup || order !== matters ? free : matters
}

function orderOfSide(plan: BinaryPlan, part: Plan, order: Order): Order {
  const { operator, matching, left, right } = plan
  // Of a vector and a scalar.
  if (matching === undefined) return order
  // Of the right side only the presence counts.
  if (isSetOperator(operator)) return part === right && operator !== 'or' ? free : order
  // Two series that match the same one are an error that names the first two.
  const oneSide = matching.cardinality === 'one-to-many' ? left : right
  return hasUniqueMatches(oneSide, matching) ? order : matters
}

function hasUniqueMatches(plan: Plan, { on, labels }: VectorMatching): boolean {
  if (!on && labels.length === 0) return isDistinctWithoutName(plan)
  if (plan.kind !== 'aggregation' || !orderless.has(plan.operator) || plan.without) return false
  return plan.grouping.every((name) => name !== '__name__' && labels.includes(name) === on)
}

/** False also where it is not known. */
function isDistinctWithoutName(plan: Plan): boolean {
  switch (plan.kind) {
    case 'selector':
      return plan.name !== ''
    case 'window':
      return plan.selector.name !== ''
    case 'aggregation':
      return orderless.has(plan.operator) && (plan.without || !plan.grouping.includes('__name__'))
    case 'negation':
      return isDistinctWithoutName(plan.input)
    default:
      return false
  }
}

function stricter(a: Order, b: Order): Order {
  return a > b ? a : b
}
