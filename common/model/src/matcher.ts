import { isValidLegacyLabelName } from './name.ts'
import { quoteText } from './quote.ts'
import { compileRegex } from './regex.ts'
import type { AnchoredRegex } from './regex.ts'

export type MatchType = '=' | '!=' | '=~' | '!~'

/** One condition on a label's value; an absent label counts as the empty value. */
export class Matcher {
  readonly type: MatchType
  readonly name: string
  readonly value: string
  /** Set for `=~` and `!~`. */
  readonly regex: AnchoredRegex | undefined

  /** Throws a `RegexSyntaxError` with Go's text if a pattern cannot be read. */
  constructor(type: MatchType, name: string, value: string) {
    this.type = type
    this.name = name
    this.value = value
    this.regex = type === '=~' || type === '!~' ? compileRegex(value) : undefined
  }

  matches(value: string): boolean {
    if (this.regex !== undefined) return this.regex.test(value) === (this.type === '=~')
    return (value === this.value) === (this.type === '=')
  }

  /** `name="value"`, as it stands in a query. */
  toString(): string {
    return (isValidLegacyLabelName(this.name) ? this.name : quoteText(this.name)) + this.type + quoteText(this.value)
  }
}
