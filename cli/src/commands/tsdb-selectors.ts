import type { Matcher } from '@narthex/model/matcher'
import { ParseError } from '@narthex/promql/parse/parse-error'
import { Parser } from '@narthex/promql/parse/parser'
import { UserError } from '@narthex/service/user-error'

/** What `--match` selects if it is not given: every series. */
export const everySeries = "{__name__=~'(?s:.*)'}"

/** The matchers of `--match` flags, which unlike those of a query may match everything. Throws a `UserError` with PromQL's text. */
export function parseSelectors(texts: readonly string[]): readonly (readonly Matcher[])[] {
  return texts.map((text) => {
    try {
      return parseSelector(text)
    } catch (cause) {
      if (cause instanceof ParseError) throw new UserError(cause.message, 1, { cause })
      throw cause
    }
  })
}

function parseSelector(text: string): readonly Matcher[] {
  const expression = new Parser(text, {}).parseWhole()
  if (expression.kind !== 'vectorSelector')
    throw new ParseError('unexpected expression, expected a series selector', text, expression.start)
  const { offsetMs, offsetExpression, atMs, atPreprocessor } = expression
  if (offsetMs !== 0 || offsetExpression !== undefined) throw new ParseError('unexpected <offset>', text, expression.start)
  if (atMs !== undefined || atPreprocessor !== undefined) throw new ParseError('unexpected <op:@>', text, expression.start)
  return expression.matchers
}
