import type { Expression } from './ast.ts'
import { printAggregationHead, printExpression, printLeft, printOperator, printSubquerySuffix } from './print.ts'

/** What is no longer than this stays on one line. */
const lineLengthMax = 100
const indentText = '  '

/**
 * The expression over several lines, as Prometheus' `/api/v1/format_query` lays it out: what does not fit into a line is broken at its operators,
 * calls and parentheses. Parsing it again gives the same expression.
 */
export function prettifyExpression(expression: Expression): string {
  return layOut(expression, 0)
}

/** Begins with the indent of its level. */
function layOut(expression: Expression, level: number): string {
  const indent = indentText.repeat(level)
  const line = printExpression(expression)
  if (expression.kind === 'unary') return indent + expression.operator + layOut(expression.expression, level).trim()
  // As Prometheus has it: a short subquery stands at the beginning of the line, whatever the level.
  if (expression.kind === 'subquery' && fits(line)) return line
  if (fits(line)) return indent + line
  switch (expression.kind) {
    case 'aggregation': {
      const parameter = expression.parameter === undefined ? '' : `${layOut(expression.parameter, level + 1)},\n`
      return `${indent}${printAggregationHead(expression)}(\n${parameter}${layOut(expression.expression, level + 1)}\n${indent})`
    }
    case 'binary': {
      const isNumber = expression.left.kind === 'number'
      const left = isNumber ? indentText.repeat(level + 1) + printLeft(expression) : layOut(expression.left, level + 1)
      return `${left}\n${indent}${printOperator(expression)}\n${layOut(expression.right, level + 1)}`
    }
    case 'call': {
      const args = expression.args.map((argument) => layOut(argument, level + 1))
      return `${indent}${expression.function.name}(\n${args.join(',\n')}\n${indent})`
    }
    case 'paren':
      return `${indent}(\n${layOut(expression.expression, level + 1)}\n${indent})`
    case 'subquery':
      return layOut(expression.expression, level) + printSubquerySuffix(expression)
    case 'number':
    case 'string':
    case 'vectorSelector':
    case 'matrixSelector':
      return indent + line
  }
}

/** Go counts bytes. */
function fits(line: string): boolean {
  return line.length <= lineLengthMax && Buffer.byteLength(line) <= lineLengthMax
}
