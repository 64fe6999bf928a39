import type { FastifyReply } from 'fastify'

/** Aborts when the client goes away before it has the answer. */
export interface CloseAbort {
  readonly signal: AbortSignal
  /** To be called when the answer is made: whoever closes the connection then aborts nothing any more. */
  end(): void
}

/**
 * A client that has closed its side goes away, or waits for the answer to the last thing it said (`printf … | socat - TCP:…`): so long it may have
 * waited for. Go's servers leave to chance which of the two they take it for.
 */
const halfOpenMs = 500

/** `reason` is what the signal then gives. */
export function abortOnClose({ raw, request }: FastifyReply, reason?: () => unknown): CloseAbort {
  const abort = new AbortController()
  const { socket } = request.raw
  let timer: NodeJS.Timeout | undefined
  const onClose = (): void => {
    clearTimeout(timer)
    if (!raw.writableFinished) abort.abort(reason?.())
  }
  const onEnd = (): void => {
    timer = setTimeout(onClose, halfOpenMs)
  }
  raw.once('close', onClose)
  if (socket.readableEnded) onEnd()
  else socket.once('end', onEnd)
  return {
    signal: abort.signal,
    end() {
      clearTimeout(timer)
      raw.off('close', onClose)
      socket.off('end', onEnd)
    },
  }
}
