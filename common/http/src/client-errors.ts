/** The answer was longer than the caller's limit. */
export class BodyTooLargeError extends Error {
  override name = 'BodyTooLargeError'
  readonly bodyBytesMax: number

  constructor(bodyBytesMax: number) {
    super(`body is larger than ${bodyBytesMax} bytes`)
    this.bodyBytesMax = bodyBytesMax
  }
}

/** The whole request took longer than allowed. Its text is Go's. */
export class HttpTimeoutError extends Error {
  override name = 'HttpTimeoutError'
  readonly timeoutMs: number

  constructor(timeoutMs: number) {
    super('context deadline exceeded')
    this.timeoutMs = timeoutMs
  }
}

export class TooManyRedirectsError extends Error {
  override name = 'TooManyRedirectsError'

  constructor(redirectsMax: number) {
    super(`stopped after ${redirectsMax} redirects`)
  }
}

/** What went wrong on the way, worded as Go's client does: `Get "http://h:1/": dial tcp 127.0.0.1:1: connect: connection refused`. */
export class HttpRequestError extends Error {
  override name = 'HttpRequestError'
  /** The system's or library's code, such as ECONNREFUSED, when there is one. */
  readonly code: string | undefined
  readonly isTimeout: boolean

  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.code = readCode(cause)
    this.isTimeout = cause instanceof HttpTimeoutError
  }
}

/** Limits of the caller pass through as they are; everything else gets method and URL (its password left out). */
export function describeRequestError(error: unknown, method: string, url: URL): Error {
  if (error instanceof BodyTooLargeError || error instanceof HttpRequestError) return error
  const shown = new URL(url)
  if (shown.password !== '') shown.password = 'xxxxx'
  const verb = method.charAt(0) + method.slice(1).toLowerCase()
  return new HttpRequestError(`${verb} "${shown.href}": ${wordCause(error, url)}`, error)
}

function wordCause(error: unknown, url: URL): string {
  const code = isOwnMessage(error) ? undefined : readCode(error)
  const address = readAddress(error) ?? `${url.hostname}:${url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port}`
  switch (code) {
    case 'ECONNREFUSED':
      return `dial tcp ${address}: connect: connection refused`
    case 'EHOSTUNREACH':
      return `dial tcp ${address}: connect: no route to host`
    case 'ENETUNREACH':
      return `dial tcp ${address}: connect: network is unreachable`
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return `dial tcp ${address}: i/o timeout`
    case 'ENOTFOUND':
    case 'ENODATA':
      return `dial tcp: lookup ${url.hostname}: no such host`
    case 'ENOENT':
      return `dial unix ${address}: connect: no such file or directory`
    case 'ECONNRESET':
      return 'read: connection reset by peer'
    case 'UND_ERR_SOCKET':
      return 'EOF'
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return 'tls: failed to verify certificate: x509: certificate signed by unknown authority'
    case 'CERT_HAS_EXPIRED':
      return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid'
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `tls: failed to verify certificate: x509: ${messageOf(error)}`
    default:
      return messageOf(error)
  }
}

// An error with a cause has words of its own; the code it inherits is for machines.
function isOwnMessage(error: unknown): boolean {
  return error instanceof Error && error.cause !== undefined && !('code' in error)
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message === '' ? (readCode(error) ?? error.name) : error.message
}

function readCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('code' in error && typeof error.code === 'string') return error.code
  // Happy eyeballs reports one error per address.
  return error instanceof AggregateError ? readCode(error.errors[0]) : readCode(error.cause)
}

function readAddress(error: unknown): string | undefined {
  if (error instanceof AggregateError) return readAddress(error.errors[0])
  if (!(error instanceof Error) || !('address' in error) || typeof error.address !== 'string') return undefined
  if (!('port' in error) || typeof error.port !== 'number') return error.address
  return error.address.includes(':') ? `[${error.address}]:${error.port}` : `${error.address}:${error.port}`
}
