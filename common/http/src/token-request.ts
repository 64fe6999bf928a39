import type { HttpClient, HttpRequest } from './client.ts'

/** Answers with credentials are short. */
const answerBytesMax = 2 ** 20
const timeoutMs = 10_000
const errorTextMax = 300

/** An endpoint of credentials answered with an error. */
export class TokenRequestError extends Error {
  override name = 'TokenRequestError'
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}

/** Asks for credentials; `what` is what could not be had (`an access token`). Throws TokenRequestError for any answer but 2xx. */
export async function requestToken(client: HttpClient, request: HttpRequest, what: string): Promise<Uint8Array> {
  const response = await client.request({ timeoutMs, ...request, bodyBytesMax: answerBytesMax })
  if (response.status >= 200 && response.status < 300) return response.body
  const text = Buffer.from(response.body).toString('utf8').replaceAll(/\s+/g, ' ').trim().slice(0, errorTextMax)
  const { host, pathname } = new URL(request.url)
  throw new TokenRequestError(`cannot fetch ${what}: ${host}${pathname} answered ${response.status}: ${text}`, response.status)
}

/** A JSON object of texts and numbers; other fields are left out. */
export function parseTokenJson(body: Uint8Array, what: string): Readonly<Record<string, string | number>> {
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(body).toString('utf8'))
  } catch (error) {
    // The text may hold half a secret: it is not shown.
    throw new Error(`cannot read ${what}: want JSON, got ${body.length} other bytes`, { cause: hideText(error) })
  }
  if (typeof parsed !== 'object' || parsed === null) throw new Error(`cannot read ${what}: want a JSON object, got ${typeof parsed}`)
  const fields = Object.entries(parsed).filter(
    (entry): entry is [string, string | number] => typeof entry[1] === 'string' || typeof entry[1] === 'number',
  )
  return Object.fromEntries(fields)
}

/** A field that must be there and not empty. */
export function requireText(fields: Readonly<Record<string, string | number>>, name: string, what: string): string {
  const value = fields[name]
  if (typeof value !== 'string' || value === '') throw new Error(`cannot read ${what}: want a text ${name}, got ${typeof value}`)
  return value
}

/** A token that claims to live longer is asked for again after this. */
const lifetimeSecondsMax = 7 * 86_400

/** When a bearer token ends, from `expires_in` seconds (number or text) of an OAuth 2 answer; without it one hour is assumed. */
export function readExpiry(fields: Readonly<Record<string, string | number>>, now: number): number {
  const seconds = Number(fields['expires_in'] ?? Number.NaN)
  return now + (seconds > 0 ? Math.min(seconds, lifetimeSecondsMax) : 3600) * 1000
}

// V8's text quotes what it could not read.
function hideText(error: unknown): Error {
  return new Error(error instanceof Error ? error.name : 'SyntaxError')
}
