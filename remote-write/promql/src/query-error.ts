export type QueryErrorKind = 'bad_data' | 'execution' | 'timeout' | 'canceled' | 'internal'

/** Why a query gave no result. `message` is Prometheus' text, `kind` the API's errorType. */
export class QueryError extends Error {
  override name = 'QueryError'
  readonly kind: QueryErrorKind

  constructor(kind: QueryErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

/** A part of the language that is understood but cannot be evaluated yet. */
export function notBuiltYet(what: string): QueryError {
  return new QueryError('execution', `${what} not built yet`)
}
