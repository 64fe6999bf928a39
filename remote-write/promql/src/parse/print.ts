import { formatDuration } from '@narthex/model/duration'
import { isValidLegacyLabelName, isValidLegacyMetricName } from '@narthex/model/name'
import { formatFloatPlain } from '@narthex/model/number'
import { quoteText } from '@narthex/model/quote'
import type { Aggregation, Binary, DurationExpression, Expression, MatrixSelector, Subquery, TimeShift, VectorSelector } from './ast.ts'

/** The expression on one line, as Prometheus' `String()` writes it; parsing it again gives the same expression. */
export function printExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'number':
      return expression.isDuration ? printSeconds(expression.value) : formatFloatPlain(expression.value)
    case 'string':
      return quoteText(expression.value)
    case 'paren':
      return `(${printExpression(expression.expression)})`
    case 'unary':
      return expression.operator + printExpression(expression.expression)
    case 'call':
      return `${expression.function.name}(${expression.args.map(printExpression).join(', ')})`
    case 'vectorSelector':
      // The modifier stands elsewhere than behind a range.
      return printSelector(expression) + printAt(expression) + printExtension(expression) + printOffset(expression)
    case 'matrixSelector':
      return printMatrix(expression)
    case 'subquery':
      return printSubquery(expression)
    case 'aggregation':
      return printAggregationHead(expression) + printAggregationBody(expression)
    case 'binary':
      return `${printLeft(expression)} ${printOperator(expression)} ${printExpression(expression.right)}`
  }
}

/** The left side of an operator. A sign in front of a power takes the whole of it, so infinity has none there. */
export function printLeft({ operator, left }: Binary): string {
  return operator === '^' && left.kind === 'number' && left.value === Infinity ? 'Inf' : printExpression(left)
}

/** `sum by (job) `, or `sum` alone. */
export function printAggregationHead({ operator, grouping, without }: Pick<Aggregation, 'operator' | 'grouping' | 'without'>): string {
  if (without) return `${operator} without (${printLabels(grouping)}) `
  return grouping.length > 0 ? `${operator} by (${printLabels(grouping)}) ` : operator
}

function printAggregationBody({ parameter, expression }: Aggregation): string {
  const head = parameter === undefined ? '' : `${printExpression(parameter)}, `
  return `(${head}${printExpression(expression)})`
}

interface OperatorParts extends Pick<Binary, 'operator' | 'returnBool'> {
  readonly matching?: Binary['matching'] | undefined
}

/** `== bool on (job) group_left ()`: the operator with all its modifiers. */
export function printOperator({ operator, returnBool, matching }: OperatorParts): string {
  let text: string = operator
  if (returnBool) text += ' bool'
  if (matching === undefined) return text
  const isGrouped = matching.cardinality === 'many-to-one' || matching.cardinality === 'one-to-many'
  if (matching.on || matching.labels.length > 0 || isGrouped) {
    text += ` ${matching.on ? 'on' : 'ignoring'} (${printLabels(matching.labels)})`
    if (matching.cardinality === 'many-to-one') text += ` group_left (${printLabels(matching.include)})`
    if (matching.cardinality === 'one-to-many') text += ` group_right (${printLabels(matching.include)})`
  }
  const { fillLeft, fillRight } = matching
  // NaN is not equal to itself.
  if (fillLeft !== undefined && fillLeft === fillRight) return `${text} fill (${formatFloatPlain(fillLeft)})`
  if (fillLeft !== undefined) text += ` fill_left (${formatFloatPlain(fillLeft)})`
  if (fillRight !== undefined) text += ` fill_right (${formatFloatPlain(fillRight)})`
  return text
}

function printLabels(names: readonly string[]): string {
  return names.map((name) => (isValidLegacyLabelName(name) ? name : quoteText(name))).join(', ')
}

/** Name and matchers, without offset and @. */
export function printSelector({ name, matchers }: Pick<VectorSelector, 'name' | 'matchers'>): string {
  const conditions: string[] = []
  const isPlainName = isValidLegacyMetricName(name)
  if (name !== '' && !isPlainName) conditions.push(quoteText(name))
  for (const matcher of matchers) {
    if (name !== '' && matcher.type === '=' && matcher.name === '__name__' && matcher.value === name) continue
    conditions.push(matcher.toString())
  }
  const head = isPlainName ? name : ''
  // In the order of their texts, as Prometheus shows them wherever it shows an expression.
  return conditions.length === 0 && head !== '' ? head : `${head}{${conditions.sort().join(',')}}`
}

function printMatrix({ vector, rangeMs, rangeExpression }: MatrixSelector): string {
  const range = rangeExpression === undefined ? formatDuration(rangeMs) : printDuration(rangeExpression)
  return `${printSelector(vector)}[${range}]${printExtension(vector)}${printShift(vector)}`
}

/** ` anchored`, ` smoothed` or nothing. */
function printExtension(vector: VectorSelector): string {
  return vector.anchored ? ' anchored' : vector.smoothed ? ' smoothed' : ''
}

function printSubquery(subquery: Subquery): string {
  return printExpression(subquery.expression) + printSubquerySuffix(subquery)
}

/** `[5m:1m] offset 1h` */
export function printSubquerySuffix(subquery: Subquery): string {
  const range = subquery.rangeExpression === undefined ? formatDuration(subquery.rangeMs) : printDuration(subquery.rangeExpression)
  let step = subquery.stepMs === 0 ? '' : formatDuration(subquery.stepMs)
  if (subquery.stepExpression !== undefined) step = printDuration(subquery.stepExpression)
  return `[${range}:${step}]${printShift(subquery)}`
}

/** ` @ 10.000 offset 5m`, with a leading blank, or nothing. */
export function printShift(shift: TimeShift): string {
  return printAt(shift) + printOffset(shift)
}

function printAt({ atMs, atPreprocessor }: TimeShift): string {
  if (atMs !== undefined) return ` @ ${(atMs / 1000).toFixed(3)}`
  return atPreprocessor === undefined ? '' : ` @ ${atPreprocessor}()`
}

function printOffset({ offsetMs, offsetExpression }: TimeShift): string {
  if (offsetExpression !== undefined) return ` offset ${printDuration(offsetExpression)}`
  return offsetMs === 0 ? '' : ` offset ${formatDuration(offsetMs)}`
}

export function printDuration(duration: DurationExpression): string {
  switch (duration.kind) {
    case 'number':
      if (duration.isDuration) return printSeconds(duration.value)
      // A plus is an operator here, no part of the number.
      return duration.value === Infinity ? 'Inf' : formatFloatPlain(duration.value)
    case 'paren':
      return `(${printDuration(duration.expression)})`
    case 'unary':
      return (duration.operator === '-' ? '-' : '') + printDuration(duration.expression)
    case 'call':
      return `${duration.name}(${duration.args.map(printDuration).join(', ')})`
    case 'binary':
      return `${printDuration(duration.left)} ${duration.operator} ${printDuration(duration.right)}`
  }
}

function printSeconds(seconds: number): string {
  return Object.is(seconds, -0) ? '-0s' : formatDuration(Math.round(seconds * 1000))
}
