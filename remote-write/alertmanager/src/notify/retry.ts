import type { Clock } from '@narthex/service/clock'
import type { Integration, Notification } from './integration.ts'
import type { Logger } from '@narthex/service/logger'
import { NotifyError } from './integration.ts'

const firstDelayMs = 500
const delayMsMax = 60_000
const growth = 1.5
const jitter = 0.5

export interface RetryOptions {
  readonly clock: Clock
  readonly log: Logger
  /** A number in [0, 1). */
  readonly random: () => number
  /** Told of each attempt with its duration and error. */
  readonly attempted: (durationMs: number, error: NotifyError | undefined) => void
}

/**
 * Sends until it works, with pauses growing from about half a second to a minute; resolves with the number of attempts.
 * Rejects with a `NotifyError` when a retry cannot help or the signal ends the flush.
 */
export async function sendWithRetries(
  integration: Integration,
  notification: Notification,
  signal: AbortSignal,
  options: RetryOptions,
): Promise<number> {
  const { clock, log, random, attempted } = options
  const name = `${notification.receiver}/${integration.name}[${integration.index}]`
  let last: NotifyError | undefined
  let delayMs = firstDelayMs
  for (let attempt = 1; ; attempt++) {
    if (signal.aborted) throw describeEnd(signal, last, name, attempt)
    const startMs = clock.now()
    const error = await tryOnce(integration, notification, signal)
    attempted(clock.now() - startMs, error)
    if (error === undefined) return attempt
    if (!error.retry) {
      const message = `${name}: notify retry canceled due to unrecoverable error after ${attempt} attempts: ${error.message}`
      throw new NotifyError(message, false, error.reason, { cause: error })
    }
    if (!signal.aborted && error.message !== last?.message) {
      log.warn('Notify attempt failed, will retry later', {
        attempts: attempt,
        receiver: notification.receiver,
        integration: name,
        err: error,
      })
    }
    last = error
    await pause(clock, delayMs * (1 - jitter + 2 * jitter * random()), signal)
    delayMs = Math.min(delayMs * growth, delayMsMax)
  }
}

async function tryOnce(integration: Integration, notification: Notification, signal: AbortSignal): Promise<NotifyError | undefined> {
  try {
    await integration.notify(notification, signal)
    return undefined
  } catch (error) {
    if (error instanceof NotifyError) return error
    return new NotifyError(error instanceof Error ? error.message : String(error), true, 'other', { cause: error })
  }
}

function describeEnd(signal: AbortSignal, last: NotifyError | undefined, name: string, attempts: number): NotifyError {
  const cause: unknown = signal.reason
  const text = last?.message ?? (cause instanceof Error ? cause.message : String(cause))
  const deadline = cause instanceof Error && cause.message === 'context deadline exceeded'
  const reason = last !== undefined && last.reason !== 'other' ? last.reason : deadline ? 'contextDeadlineExceeded' : 'contextCanceled'
  return new NotifyError(`${name}: notify retry canceled after ${attempts} attempts: ${text}`, false, reason, { cause })
}

function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = () => {
      cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const cancel = clock.setTimer(end, delayMs)
    signal.addEventListener('abort', end)
  })
}
