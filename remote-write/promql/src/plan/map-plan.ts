import type { Plan } from './plan.ts'

/** The parts of a plan in the order in which they are written. */
export function partsOf(plan: Plan): readonly Plan[] {
  switch (plan.kind) {
    case 'number':
    case 'text':
    case 'selector':
      return []
    case 'window':
      return [plan.selector]
    case 'subquery':
    case 'negation':
      return [plan.input]
    case 'call':
      return plan.args
    case 'aggregation':
      return plan.parameter === undefined ? [plan.input] : [plan.parameter, plan.input]
    case 'binary':
      return [plan.left, plan.right]
  }
}

/** The plan with each part changed; the plan itself if none becomes another. A selector has to stay a selector. */
export function mapParts(plan: Plan, change: (part: Plan) => Plan): Plan {
  switch (plan.kind) {
    case 'number':
    case 'text':
    case 'selector':
      return plan
    case 'window': {
      const selector = change(plan.selector)
      if (selector.kind !== 'selector') throw new Error(`cannot change a plan: want a selector in a window, got ${selector.kind}`)
      return selector === plan.selector ? plan : { ...plan, selector }
    }
    case 'subquery':
    case 'negation': {
      const input = change(plan.input)
      return input === plan.input ? plan : { ...plan, input }
    }
    case 'call': {
      const args = plan.args.map(change)
      return args.every((argument, i) => argument === plan.args[i]) ? plan : { ...plan, args }
    }
    case 'aggregation': {
      const parameter = plan.parameter === undefined ? undefined : change(plan.parameter)
      const input = change(plan.input)
      return parameter === plan.parameter && input === plan.input ? plan : { ...plan, parameter, input }
    }
    case 'binary': {
      const left = change(plan.left)
      const right = change(plan.right)
      return left === plan.left && right === plan.right ? plan : { ...plan, left, right }
    }
  }
}
