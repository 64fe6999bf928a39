import type { Matcher } from '@narthex/model/matcher'
import { parseAnySelector } from '@narthex/promql/parse/parse'
import type { AdminBackend, ApiBackend } from './backend.ts'
import { ApiError, encodeSuccess } from './envelope.ts'
import { earliestMs, invalidParameter, latestMs, parseFlag } from './parameters.ts'
import type { Parameters } from './parameters.ts'

/** Answers with a body, or with none (204). */
type AdminHandler = (parameters: Parameters) => Promise<string | undefined>

const selectorLengthMax = 64 * 1024

/** Adds /api/v1/admin/tsdb/…; `onChange` registers a handler for POST and PUT. */
export function registerAdmin(onChange: (path: string, handler: AdminHandler) => void, backend: ApiBackend): void {
  const action = (name: string, handler: (admin: AdminBackend, parameters: Parameters) => Promise<string | undefined>): void => {
    onChange(`/api/v1/admin/tsdb/${name}`, async (parameters) => {
      if (backend.admin === undefined) throw new ApiError('unavailable', 'admin APIs disabled')
      return handler(backend.admin, parameters)
    })
  }
  action('delete_series', async (admin, parameters) => {
    const selectors = parameters.all('match[]')
    if (selectors.length === 0) throw new ApiError('bad_data', 'no match[] parameter provided')
    const startMs = parameters.timeMs('start', earliestMs)
    const endMs = parameters.timeMs('end', latestMs)
    // All are read before anything is deleted.
    const matcherSets = selectors.map(parseSelector).filter((matchers) => matchers.length > 0)
    await orInternal('', () => admin.deleteSeries(matcherSets, startMs, endMs))
    return undefined
  })
  action('clean_tombstones', async (admin) => {
    await orInternal('', () => admin.cleanTombstones())
    return undefined
  })
  action('snapshot', async (admin, parameters) => {
    const skipsHead = readSkipHead(parameters.get('skip_head'))
    return encodeSuccess({ name: await orInternal('create snapshot: ', () => admin.snapshot(!skipsHead)) })
  })
}

/** As in Prometheus also one that takes what has none of its labels; `{}`, which has no matcher, selects nothing to delete. */
function parseSelector(selector: string): readonly Matcher[] {
  if (selector.length > selectorLengthMax) throw invalidParameter('match[]', `want at most ${selectorLengthMax} characters`)
  try {
    return parseAnySelector(selector)
  } catch (error) {
    throw invalidParameter('match[]', error instanceof Error ? error.message : String(error))
  }
}

function readSkipHead(text: string): boolean {
  const value = parseFlag(text)
  if (value !== undefined) return value
  throw invalidParameter('skip_head', `unable to parse boolean: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`)
}

/** What the storage could not do is told to whoever asked. */
async function orInternal<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw new ApiError('internal', `${prefix}${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
