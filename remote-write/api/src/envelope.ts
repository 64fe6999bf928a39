/** Prometheus' error kinds and the HTTP status each answers with (web/api/v1 of Prometheus 3). */
const statusOfKind = {
  bad_data: 400,
  execution: 422,
  timeout: 503,
  canceled: 499,
  internal: 500,
  not_found: 404,
  not_acceptable: 406,
  unavailable: 500,
} as const

export type ErrorKind = keyof typeof statusOfKind

/** An API error as Prometheus answers it: `{"status":"error","errorType":…,"error":…}` with the kind's HTTP status. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly kind: ErrorKind

  constructor(kind: ErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }

  get status(): number {
    return statusOfKind[this.kind]
  }
}

export function encodeError(kind: ErrorKind, message: string): string {
  return JSON.stringify({ status: 'error', errorType: kind, error: message })
}

export function encodeSuccess(data: unknown, warnings: readonly string[] = []): string {
  return JSON.stringify({ status: 'success', data, ...(warnings.length > 0 ? { warnings } : {}) })
}
