import type { CloudAuthorizer } from '@narthex/http/cloud-authorizer'
import { isRedirect } from '../http/clients.ts'
import type { Clients } from '../http/clients.ts'
import { formatFields, prepareRequest } from '@narthex/http/direct-client/direct-client'
import type { RemotePoster } from './delivery.ts'
import type { RemoteAnswer } from './verdict.ts'

/** Answers are read this far; error texts are cut to 1 KiB for the log. */
const answerBytesMax = 64 * 1024

/**
 * A poster over the clients of one remote, for one URL; closing it closes them. With an authorizer each attempt is signed, or bears a token,
 * of its own.
 */
export function createPoster(clients: Clients, urlText: string, timeoutMs: number, authorizer?: CloudAuthorizer): RemotePoster {
  const url = new URL(urlText)
  const direct = clients.direct(url)
  const request = prepareRequest('POST', url, {})

  async function send(headers: Readonly<Record<string, string>>, body: Uint8Array, signal: AbortSignal): Promise<RemoteAnswer> {
    const answer = await direct?.exchange<RemoteAnswer | undefined>(request, {
      fields: formatFields(headers),
      body,
      timeoutMs,
      bodyBytesMax: answerBytesMax,
      signal,
      take: (head, bytes) => (isRedirect(head.status, head.headers['location']) ? undefined : { ...head, body: bytes.slice() }),
    })
    if (answer !== undefined) return answer
    // A copy: this client may still be writing when it has the answer.
    return clients.general.request({ url, method: 'POST', headers, body: body.slice(), signal, timeoutMs, bodyBytesMax: answerBytesMax })
  }

  if (authorizer === undefined) return { post: send, close: () => clients.close() }
  return {
    async post(headers, body, signal) {
      const added = await untilAborted(authorizer.authorize({ method: 'POST', url, headers, body }), signal)
      const answer = await send({ ...headers, ...added }, body, signal)
      if (answer.status === 401 || answer.status === 403) authorizer.forget()
      return answer
    },
    async close() {
      await Promise.all([clients.close(), authorizer.close()])
    },
  }
}

/** The work has limits of its own; who gives up before does not wait for them. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const over = Promise.withResolvers<never>()
  const onAbort = (): void => over.reject(signal.reason instanceof Error ? signal.reason : new Error('context canceled'))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, over.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
