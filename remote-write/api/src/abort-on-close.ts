import type { FastifyReply } from 'fastify'

/** Aborts when the client goes away before it has the answer. */
export interface CloseAbort {
  readonly signal: AbortSignal
  /** To be called when the answer is made: whoever closes the connection then aborts nothing any more. */
  end(): void
}

/** `reason` is what the signal then gives. */
export function abortOnClose({ raw }: FastifyReply, reason?: () => unknown): CloseAbort {
  const abort = new AbortController()
  const onClose = (): void => {
    if (!raw.writableFinished) abort.abort(reason?.())
  }
  raw.once('close', onClose)
  return { signal: abort.signal, end: () => void raw.off('close', onClose) }
}
