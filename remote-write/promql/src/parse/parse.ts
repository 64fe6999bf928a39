import type { Matcher } from '@narthex/model/matcher'
import type { Expression, VectorSelector } from './ast.ts'
import { checkExpression } from './check.ts'
import { ParseError } from './parse-error.ts'
import { Parser } from './parser.ts'

/** Which parts of the language are switched on; the names follow Prometheus' feature flags. */
export interface ParseOptions {
  /** `promql-experimental-functions`: 18 functions, limitk and limit_ratio. Default: off. */
  readonly experimentalFunctions?: boolean
  /** Arithmetic on durations in `[…]` and `offset (…)`. Default: on, as since 3.14. */
  readonly durationExpressions?: boolean
  /** `promql-binop-fill-modifiers`: fill, fill_left, fill_right. Default: off. */
  readonly binopFillModifiers?: boolean
}

/** Parses and type-checks a query. Throws ParseError with Prometheus' text and position. */
export function parseExpression(text: string, options: ParseOptions = {}): Expression {
  return checkExpression(new Parser(text, options).parseWhole(), text)
}

/** Parses a series selector as in `match[]`: no offset, no @, no range. Returns its matchers, that of the name last. */
export function parseMetricSelector(text: string): readonly Matcher[] {
  const { matchers, start } = parseSelector(text)
  // As Prometheus, which looks at nothing else here: `up{__name__="x"}` is no mistake, and selects nothing.
  if (matchers.every((matcher) => matcher.matches(''))) {
    throw new ParseError('vector selector must contain at least one non-empty matcher', text, start)
  }
  return matchers
}

/** As `parseMetricSelector`, also one that matches everything. */
export function parseAnySelector(text: string): readonly Matcher[] {
  return parseSelector(text).matchers
}

function parseSelector(text: string): VectorSelector {
  return new Parser(text, {}).parseSelectorAlone()
}
