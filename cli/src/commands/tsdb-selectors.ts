import type { Matcher } from '@narthex/model/matcher'
import { ParseError } from '@narthex/promql/parse/parse-error'
import { parseAnySelector } from '@narthex/promql/parse/parse'
import { UserError } from '@narthex/service/user-error'

/** What `--match` selects if it is not given: every series. */
export const everySeries = "{__name__=~'(?s:.*)'}"

/** The matchers of `--match` flags, which unlike those of a query may match everything. Throws a `UserError` with PromQL's text. */
export function parseSelectors(texts: readonly string[]): readonly (readonly Matcher[])[] {
  return texts.map((text) => {
    try {
      return parseAnySelector(text)
    } catch (cause) {
      if (cause instanceof ParseError) throw new UserError(cause.message, 1, { cause })
      throw cause
    }
  })
}
