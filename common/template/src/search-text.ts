import { fillReplacement, parseReplacement } from '@narthex/model/go-expand'
import { quoteText } from '@narthex/model/quote'
import { RegexSyntaxError, SearchRegex } from '@narthex/model/regex'
import { stringType } from './value.ts'
import type { FunctionMap } from './value.ts'

/** The functions over regular expressions that rules and notifications share. */
export const searchFunctions: FunctionMap = {
  match: { parameters: [stringType, stringType], call: (pattern: string, text: string) => compile(pattern).test(text) },
  reReplaceAll: { parameters: [stringType, stringType, stringType], call: replaceAll },
}

const entriesMax = 64
const patternUnitsMax = 4096
const cache = new Map<string, SearchRegex>()

function compile(pattern: string): SearchRegex {
  const known = cache.get(pattern)
  if (known !== undefined) return known
  const regex = new SearchRegex(pattern)
  if (pattern.length <= patternUnitsMax) {
    cache.set(pattern, regex)
    if (cache.size > entriesMax) cache.delete(cache.keys().next().value!)
  }
  return regex
}

function replaceAll(pattern: string, replacement: string, text: string): string {
  let regex: SearchRegex
  try {
    regex = compile(pattern)
  } catch (error) {
    if (!(error instanceof RegexSyntaxError)) throw error
    // The text of the panic that Go's MustCompile makes of it.
    const quoted = /[`\p{Cc}\ufeff]/u.test(pattern.replaceAll('\t', '')) ? quoteText(pattern) : '`' + pattern + '`'
    throw new Error(`regexp: Compile(${quoted}): ${error.message}`, { cause: error })
  }
  const template = parseReplacement(replacement)
  const { groupNames } = regex
  return regex.replaceAll(text, (match) => fillReplacement(template, match, groupNames))
}
