import type { HttpClient } from '@narthex/http/client'
import type { RemotePoster } from './delivery.ts'

/** Answers are read this far; error texts are cut to 1 KiB for the log. */
const answerBytesMax = 64 * 1024

/** A poster over a client of `@narthex/http`, for one URL. */
export function createPoster(client: HttpClient, url: string, timeoutMs: number): RemotePoster {
  return {
    post: (headers, body, signal) =>
      client.request({ url, method: 'POST', headers, body, signal, timeoutMs, bodyBytesMax: answerBytesMax }),
  }
}
