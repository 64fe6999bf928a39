import type { Matcher } from '@narthex/model/matcher'
import type { Expression } from '@narthex/promql/parse/ast'
import { parseExpression, parseMetricSelector, type ParseOptions } from '@narthex/promql/parse/parse'
import { ParseError } from '@narthex/promql/parse/parse-error'
import { QueryError } from '@narthex/promql/query-error'

// What cannot be read is the asker's fault: a QueryError of `bad_data`.

export function parseMatchers(selector: string, parse = parseMetricSelector): readonly Matcher[] {
  try {
    return parse(selector)
  } catch (error) {
    if (error instanceof ParseError) throw new QueryError('bad_data', error.message, { cause: error })
    throw error
  }
}

export function parseQuery(query: string, options: ParseOptions): Expression {
  try {
    return parseExpression(query, options)
  } catch (error) {
    if (error instanceof ParseError) throw new QueryError('bad_data', error.message, { cause: error })
    throw error
  }
}
