import { SearchRegex } from '@narthex/model/regex'

/** Verdicts kept per filter: device and field names are few, but names of container interfaces change for ever. */
const verdictsMax = 4096

/** A regular expression in RE2 syntax that may match anywhere in the text, as Go's MatchString does. Throws on a bad pattern. */
export class NamePattern {
  readonly #regex: SearchRegex
  readonly #verdicts = new Map<string, boolean>()

  constructor(pattern: string) {
    this.#regex = new SearchRegex(pattern)
  }

  test(text: string): boolean {
    const known = this.#verdicts.get(text)
    if (known !== undefined) return known
    const verdict = this.#regex.test(text)
    if (this.#verdicts.size >= verdictsMax) this.#verdicts.clear()
    this.#verdicts.set(text, verdict)
    return verdict
  }
}

/** Exclude and include patterns of one flag pair; an empty pattern filters nothing. */
export class NameFilter {
  readonly #exclude: NamePattern | undefined
  readonly #include: NamePattern | undefined

  constructor(excludePattern: string, includePattern: string) {
    this.#exclude = excludePattern === '' ? undefined : new NamePattern(excludePattern)
    this.#include = includePattern === '' ? undefined : new NamePattern(includePattern)
  }

  isIgnored(name: string): boolean {
    return this.#exclude?.test(name) === true || this.#include?.test(name) === false
  }
}
