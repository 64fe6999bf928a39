import type { AlertsApiParts } from './alerts-api.ts'
import type { ApiAnswer } from './api-answer.ts'
import type { ApiBody } from './read-body.ts'
import type { SilencesApiParts } from './silences-api.ts'
import { answerJson, answerText, ApiError, schemaError } from './api-answer.ts'
import { deleteSilence, getSilence, getSilences, postSilence } from './silences-api.ts'
import { getAlertGroups, getAlerts, postAlerts } from './alerts-api.ts'

export interface VersionInfo {
  readonly branch: string
  readonly buildDate: string
  readonly buildUser: string
  readonly goVersion: string
  readonly revision: string
  readonly version: string
}

export interface ApiParts extends AlertsApiParts, SilencesApiParts {
  readonly receiverNames: readonly string[]
  readonly configText: string
  readonly startedAtMs: number
  readonly versionInfo: VersionInfo
}

export interface ApiRequest {
  readonly method: string
  /** Without the prefix under which the alertmanager is mounted: `/api/v2/alerts`. */
  readonly path: string
  readonly query: URLSearchParams
  readonly body: ApiBody
}

type Handler = (parts: ApiParts, request: ApiRequest) => ApiAnswer

const handlers: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  '/api/v2/status': { GET: getStatus },
  '/api/v2/receivers': { GET: (parts) => answerJson(parts.receiverNames.map((name) => ({ name }))) },
  '/api/v2/alerts': {
    GET: (parts, { query }) => getAlerts(parts, query),
    POST: (parts, { body }) => postAlerts(parts, body),
  },
  '/api/v2/alerts/groups': { GET: (parts, { query }) => getAlertGroups(parts, query) },
  '/api/v2/silences': {
    GET: (parts, { query }) => getSilences(parts, query),
    POST: (parts, { body }) => postSilence(parts, body),
  },
  '/-/healthy': { GET: () => answerText('OK'), HEAD: () => answerText('') },
  '/-/ready': { GET: () => answerText('OK'), HEAD: () => answerText('') },
}

const silencePath = '/api/v2/silence/'
const silenceHandlers: Readonly<Record<string, Handler>> = {
  GET: (parts, { path }) => getSilence(parts, path.slice(silencePath.length)),
  DELETE: (parts, { path }) => deleteSilence(parts, path.slice(silencePath.length)),
}

/** Answers one request of Alertmanager's API; what goes wrong for the caller is in the answer, too. */
export function handleApi(parts: ApiParts, request: ApiRequest): ApiAnswer {
  try {
    return findHandler(request)(parts, request)
  } catch (error) {
    if (error instanceof ApiError) return answerJson(error.payload, error.status, error.headers)
    throw error
  }
}

function findHandler({ method, path }: ApiRequest): Handler {
  if (path.startsWith('/api/v1/')) throw new ApiError(410, deprecation)
  const byMethod = path.startsWith(silencePath) ? silenceHandlers : Object.hasOwn(handlers, path) ? handlers[path] : undefined
  if (byMethod === undefined) throw schemaError(404, `path ${path} was not found`)
  const handler = Object.hasOwn(byMethod, method) ? byMethod[method] : undefined
  if (handler !== undefined) return handler
  const allowed = Object.keys(byMethod).join(',')
  throw new ApiError(405, { code: 405, message: `method ${method} is not allowed, but [${allowed}] are` }, { allow: allowed })
}

const deprecation = { status: 'deprecated', error: 'The v1 API is gone since Alertmanager 0.27: please use the same path under /api/v2/.' }

function getStatus(parts: ApiParts): ApiAnswer {
  return answerJson({
    cluster: { peers: [], status: 'disabled' },
    config: { original: parts.configText },
    uptime: new Date(parts.startedAtMs).toISOString(),
    versionInfo: parts.versionInfo,
  })
}
