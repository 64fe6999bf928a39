import type { ApiAnswer } from './api-answer.ts'
import type { ApiBody } from './read-body.ts'
import type { Clock } from '@narthex/service/clock'
import type { MatchType } from '@narthex/model/matcher'
import type { Silence } from '../silence/silence.ts'
import type { SilenceStore } from '../silence/silence-store.ts'
import { answerEmpty, answerJson, ApiError, schemaError } from './api-answer.ts'
import { BodyReader, parseBody } from './read-body.ts'
import { formatApiTime, msToNs } from '../rfc3339.ts'
import { isSameMatcher } from '../matcher-parser.ts'
import { Matcher } from '@narthex/model/matcher'
import { readFilter, readFlag } from './read-query.ts'
import { SilenceError, SilenceNotFoundError } from '../silence/silence-store.ts'

export interface SilencesApiParts {
  readonly silences: SilenceStore
  readonly clock: Clock
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** `GET /api/v2/silences`: a filter keeps the silences that have an equal matcher for each of its own. */
export function getSilences({ silences }: SilencesApiParts, query: URLSearchParams): ApiAnswer {
  const filter = readFilter(query)
  const wanted = silences.all().filter((silence) => {
    if (!readFlag(query, silences.state(silence))) return false
    return filter.every((matcher) => silence.matchers.some((own) => isSameMatcher(own, matcher)))
  })
  return answerJson(wanted.map((silence) => describeSilence(silences, silence)))
}

/** `POST /api/v2/silences`. */
export function postSilence({ silences, clock }: SilencesApiParts, body: ApiBody): ApiAnswer {
  const draft = readSilence(parseBody(body, 'silence'))
  if (draft.startsAtNs >= draft.endsAtNs) throw new ApiError(400, 'Failed to create silence: start time must be before end time')
  if (draft.endsAtNs < msToNs(clock.now())) throw new ApiError(400, "Failed to create silence: end time can't be in the past")
  try {
    return answerJson({ silenceID: silences.set(draft) })
  } catch (error) {
    if (!(error instanceof SilenceError)) throw error
    throw new ApiError(error instanceof SilenceNotFoundError ? 404 : 400, error.message)
  }
}

/** `GET /api/v2/silence/{id}`. */
export function getSilence({ silences }: SilencesApiParts, id: string): ApiAnswer {
  const silence = silences.get(checkId(id))
  return silence === undefined ? answerEmpty(404) : answerJson(describeSilence(silences, silence))
}

/** `DELETE /api/v2/silence/{id}`. */
export function deleteSilence({ silences }: SilencesApiParts, id: string): ApiAnswer {
  try {
    silences.expire(checkId(id))
    return answerEmpty()
  } catch (error) {
    if (error instanceof SilenceNotFoundError) throw new ApiError(404, error.message)
    throw error
  }
}

function checkId(id: string): string {
  if (uuid.test(id)) return id.toLowerCase()
  throw schemaError(601, `silenceID in path must be of type uuid: ${JSON.stringify(id)}`)
}

function describeSilence(silences: SilenceStore, silence: Silence): unknown {
  return {
    id: silence.id,
    status: { state: silences.state(silence) },
    updatedAt: formatApiTime(silence.updatedAtNs),
    comment: silence.comment,
    createdBy: silence.createdBy,
    endsAt: formatApiTime(silence.endsAtNs),
    matchers: silence.matchers.map(({ name, type, value }) => ({
      isEqual: type === '=' || type === '=~',
      isRegex: type === '=~' || type === '!~',
      name,
      value,
    })),
    startsAt: formatApiTime(silence.startsAtNs),
  }
}

function readSilence(value: unknown): Omit<Silence, 'updatedAtNs'> {
  const reader = new BodyReader(value, 'silence', 'PostableSilence')
  const rawMatchers = reader.list('matchers')
  const id = reader.text('id') ?? ''
  const comment = reader.text('comment')
  const createdBy = reader.text('createdBy')
  const endsAtNs = reader.time('endsAt')
  const startsAtNs = reader.time('startsAt')
  const matchers = rawMatchers?.map(readMatcherFields)
  // Checked in the alphabetical order of the schema.
  if (comment === undefined) throw schemaError(602, 'comment in body is required')
  if (createdBy === undefined) throw schemaError(602, 'createdBy in body is required')
  if (endsAtNs === undefined) throw schemaError(602, 'endsAt in body is required')
  if (matchers === undefined) throw schemaError(602, 'matchers in body is required')
  if (matchers.length === 0) throw schemaError(612, 'matchers in body should have at least 1 items')
  if (startsAtNs === undefined) throw schemaError(602, 'startsAt in body is required')
  return { id, comment, createdBy, startsAtNs, endsAtNs, matchers: matchers.map(buildMatcher) }
}

interface MatcherFields {
  readonly name: string | undefined
  readonly value: string | undefined
  readonly isRegex: boolean | undefined
  readonly isEqual: boolean
}

function readMatcherFields(value: unknown): MatcherFields {
  const reader = new BodyReader(value, 'silence', 'Matcher.matchers')
  const isEqual = reader.flag('isEqual') ?? true
  return { name: reader.text('name'), value: reader.text('value'), isRegex: reader.flag('isRegex'), isEqual }
}

function buildMatcher({ name, value, isRegex, isEqual }: MatcherFields, index: number): Matcher {
  for (const [field, given] of Object.entries({ isRegex, name, value })) {
    if (given === undefined) throw schemaError(602, `matchers.${index}.${field} in body is required`)
  }
  const type: MatchType = isRegex === true ? (isEqual ? '=~' : '!~') : isEqual ? '=' : '!='
  try {
    return new Matcher(type, name ?? '', value ?? '')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const pattern = JSON.stringify(value)
    throw new ApiError(400, `invalid silence: invalid label matcher ${index}: invalid regular expression ${pattern}: ${reason}`)
  }
}
