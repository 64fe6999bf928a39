import { stringifyAsGo } from '@narthex/model/go-json'

/** An answer without a framework. */
export interface ApiAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

const commonHeaders = {
  'access-control-allow-headers': 'Accept, Authorization, Content-Type, Origin',
  'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Date',
  'cache-control': 'no-store',
}

/** An error that the API answers with. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number
  /** What stands in the body as JSON: a plain text for errors of the domain, `{code, message}` for errors of the schema. */
  readonly payload: unknown
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, payload: unknown, headers: Readonly<Record<string, string>> = {}) {
    super(typeof payload === 'string' ? payload : JSON.stringify(payload))
    this.status = status
    this.payload = payload
    this.headers = headers
  }
}

/** An error in the shape of go-openapi; `code` is 6xx for failed checks, which are answered with status 422. */
export function schemaError(code: number, message: string): ApiError {
  return new ApiError(code >= 600 ? 422 : code, { code, message })
}

export function answerJson(payload: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): ApiAnswer {
  return { status, contentType: 'application/json', body: stringifyAsGo(payload) + '\n', headers: { ...commonHeaders, ...headers } }
}

export function answerEmpty(status = 200): ApiAnswer {
  return { status, contentType: 'application/json', body: '', headers: commonHeaders }
}

export function answerText(body: string, status = 200): ApiAnswer {
  return { status, contentType: 'text/plain; charset=utf-8', body, headers: { 'cache-control': 'no-store' } }
}
