import type { AnchoredRegex } from '@narthex/model/regex'
import type { Matcher } from '@narthex/model/matcher'
import { ApiError } from './api-answer.ts'
import { compileRegex } from '@narthex/model/regex'
import { parseMatcher } from '../matcher-parser.ts'

const trueWords = new Set(['true', '1', 'yes', 'ok', 'y', 'on', 'selected', 'checked', 't', 'enabled'])

/** A boolean parameter that is true unless said otherwise. */
export function readFlag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name)
  return text === null || text === '' ? true : trueWords.has(text.toLowerCase())
}

/** The `filter` parameters. Throws an `ApiError` with status 400. */
export function readFilter(query: URLSearchParams): Matcher[] {
  return query.getAll('filter').map((text) => {
    try {
      return parseMatcher(text)
    } catch (error) {
      throw new ApiError(400, error instanceof Error ? error.message : String(error))
    }
  })
}

/** The `receiver` parameter as an anchored pattern. Throws an `ApiError` with status 400. */
export function readReceiver(query: URLSearchParams): AnchoredRegex | undefined {
  const text = query.get('receiver')
  if (text === null || text === '') return undefined
  try {
    return compileRegex(text)
  } catch (error) {
    throw new ApiError(400, `failed to parse receiver param: ${error instanceof Error ? error.message : String(error)}`)
  }
}
