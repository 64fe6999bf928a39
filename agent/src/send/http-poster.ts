import { isRedirect } from '../http/clients.ts'
import type { Clients } from '../http/clients.ts'
import { formatFields, prepareRequest } from '../http/direct-client.ts'
import type { RemotePoster } from './delivery.ts'
import type { RemoteAnswer } from './verdict.ts'

/** Answers are read this far; error texts are cut to 1 KiB for the log. */
const answerBytesMax = 64 * 1024

/** A poster over the clients of one remote, for one URL. */
export function createPoster(clients: Clients, urlText: string, timeoutMs: number): RemotePoster {
  const url = new URL(urlText)
  const direct = clients.direct(url)
  const request = prepareRequest('POST', url, {})
  return {
    async post(headers, body, signal) {
      const answer = await direct?.exchange<RemoteAnswer | undefined>(request, {
        fields: formatFields(headers),
        body,
        timeoutMs,
        bodyBytesMax: answerBytesMax,
        signal,
        take: (head, bytes) => (isRedirect(head.status, head.headers) ? undefined : { ...head, body: bytes.slice() }),
      })
      if (answer !== undefined) return answer
      // A copy: this client may still be writing when it has the answer.
      return clients.general.request({ url, method: 'POST', headers, body: body.slice(), signal, timeoutMs, bodyBytesMax: answerBytesMax })
    },
  }
}
