import type { HttpResponse } from '@narthex/http/client'
import type { Clock } from '../clock.ts'

/** A page of machines is at most this long. */
export const pageBytesMax = 64 * 2 ** 20
const pagesMax = 1_000
/** What one refresh may list over all its pages: machines (groups of them too) and bytes. */
export const machinesMax = 100_000
export const listBytesMax = 512 * 2 ** 20
const attemptsMax = 4
const firstDelayMs = 1_000
const delayMsMax = 30_000
const errorTextMax = 300

export interface CloudCall {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Sends the request, with the credentials of now. */
  send(): Promise<HttpResponse>
  /** The service is too busy for us, in its own words. 429 and 5xx always mean that. */
  isThrottled?(answer: HttpResponse): boolean
  /** The credentials were refused, in the service's own words. 401 and 403 mean that if nothing else is said. */
  isRefused?(answer: HttpResponse): boolean
  /** The refused credentials are not used again. */
  forget(): void
}

/**
 * Asks a cloud's API. One that has no time is asked again, four times in all, after 1, 2 and 4 s or when it says; refused credentials are
 * fetched anew once. Any other answer is the caller's.
 */
export async function callCloud(call: CloudCall): Promise<HttpResponse> {
  let hasRenewed = false
  for (let attempt = 1; ; attempt++) {
    const answer = await call.send()
    const { status } = answer
    if (status === 429 || status >= 500 || call.isThrottled?.(answer) === true) {
      if (attempt >= attemptsMax) return answer
      await sleep(call.clock, readRetryAfter(answer) ?? firstDelayMs * 2 ** (attempt - 1), call.signal)
    } else if (!hasRenewed && (status === 401 || status === 403 || call.isRefused?.(answer) === true)) {
      hasRenewed = true
      call.forget()
    } else return answer
  }
}

/** Asks for pages until one names no next. `fetchPage` gets the name of a page, undefined for the first, and gives the next one's. */
export async function eachPage(what: string, fetchPage: (name: string | undefined) => Promise<string | undefined>): Promise<void> {
  const seen = new Set<string>()
  for (let name = await fetchPage(undefined); name !== undefined && name !== ''; name = await fetchPage(name)) {
    if (seen.has(name)) throw new Error(`cannot list ${what}: the service names the same page again`)
    if (seen.size + 1 >= pagesMax) throw new Error(`cannot list ${what}: want at most ${pagesMax} pages`)
    seen.add(name)
  }
}

/** Counts what one refresh lists, so that a service that never ends does not fill the memory. */
export class ListBounds {
  #machines = 0
  #bytes = 0

  /** Throws when the pages of this refresh hold too much. */
  takePage(what: string, machines: number, bytes: number): void {
    this.#machines += machines
    this.#bytes += bytes
    if (this.#machines > machinesMax) throw new Error(`cannot list ${what}: want at most ${machinesMax} machines, got more`)
    if (this.#bytes > listBytesMax) throw new Error(`cannot list ${what}: want at most ${listBytesMax} bytes in all pages, got more`)
  }
}

/** The start of an answer's text, on one line, for an error. */
export function shortenBody(body: Uint8Array): string {
  return Buffer.from(body).toString('utf8').replaceAll(/\s+/g, ' ').trim().slice(0, errorTextMax)
}

function readRetryAfter({ headers }: HttpResponse): number | undefined {
  const text = headers['retry-after']
  return typeof text === 'string' && /^\d{1,6}$/.test(text.trim()) ? Math.min(Number(text) * 1000, delayMsMax) : undefined
}

function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }, delayMs)
    function onAbort(): void {
      clock.clearTimer(timer)
      reject(signal.reason instanceof Error ? signal.reason : new Error('discovery stopped'))
    }
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
