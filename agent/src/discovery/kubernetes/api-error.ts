/** The API server refused: what it said, in one line. */
export class ApiStatusError extends Error {
  override name = 'ApiStatusError'
  /** HTTP status, or the code of an ERROR event. */
  readonly status: number
  /** How long the server asks to be left alone. */
  readonly retryAfterMs: number | undefined

  constructor(status: number, message: string, retryAfterMs?: number) {
    super(`${status} ${message}`)
    this.status = status
    this.retryAfterMs = retryAfterMs
  }

  /** The versions asked for are forgotten: only a new list helps. */
  get isExpired(): boolean {
    return this.status === 410
  }
}

/** Bytes that are no list or watch stream. */
export class ApiFormatError extends Error {
  override name = 'ApiFormatError'
}
