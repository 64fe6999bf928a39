import { formatDuration } from '@narthex/model/duration'
import { formatFloatPlain } from '@narthex/model/number'
import { quoteText } from '@narthex/model/quote'
import { printAggregationHead, printOperator, printSelector, printShift } from '../parse/print.ts'
import type { Plan, SelectorPlan, Shift } from './plan.ts'

/** What stands at the top of a plan as a query would say it, with all durations and times settled: `sum by (job)`, `up{job="a"} offset 5m`. */
export function printHead(plan: Plan): string {
  switch (plan.kind) {
    case 'number':
      return formatFloatPlain(plan.value)
    case 'text':
      return quoteText(plan.value)
    case 'selector':
      return `${printSelector(plan)}${plan.smoothed ? ' smoothed' : ''}${shiftText(plan.shift)}`
    case 'window': {
      const mode = plan.mode === 'plain' ? '' : ` ${plan.mode}`
      return `${printSelector(plan.selector)}[${formatDuration(plan.rangeMs)}]${mode}${shiftText(plan.selector.shift)}`
    }
    case 'subquery':
      return `[${formatDuration(plan.rangeMs)}:${formatDuration(plan.stepMs)}]${shiftText(plan.shift)}`
    case 'negation':
      return '-'
    case 'call':
      return `${plan.name}()`
    case 'aggregation':
      return printAggregationHead(plan).trimEnd()
    case 'binary':
      return printOperator(plan)
  }
}

/** The matchers that the storage is asked with. */
export function printScan({ name, scan }: SelectorPlan): string {
  return printSelector({ name, matchers: scan.matchers ?? [] })
}

function shiftText({ offsetMs, atMs }: Shift): string {
  return printShift(atMs === undefined ? { offsetMs } : { offsetMs, atMs })
}
