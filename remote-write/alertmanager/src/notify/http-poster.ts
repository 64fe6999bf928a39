import type { HttpClient } from '@narthex/http/client'
import type { HttpClientConfig } from '@narthex/config/http-client-config'
import type { HttpPost } from './http-post.ts'
import { createHttpClient } from '@narthex/http/client'

/** Bytes kept of a receiver's answer: enough for its error text. The rest is read and dropped. */
const answerBytesMax = 4096
// The flush's signal is the deadline; a client wants a number.
const timeoutMsMax = 2 ** 31 - 1

export interface HttpPoster {
  readonly post: HttpPost
  /** Closes all connections; the next post opens new ones. For reloads and the end. */
  close(): Promise<void>
}

/** Posts over `@narthex/http`, with one client (and its connections) per `http_config`. */
export function createHttpPoster(): HttpPoster {
  const clients = new Map<HttpClientConfig | undefined, HttpClient>()

  function findClient(config: HttpClientConfig | undefined): HttpClient {
    let client = clients.get(config)
    if (client === undefined) clients.set(config, (client = createHttpClient(config)))
    return client
  }

  return {
    async post({ url, headers, body, http, timeoutMs = timeoutMsMax, signal }) {
      const kept: Uint8Array[] = []
      let keptBytes = 0
      const sink = {
        onData(chunk: Uint8Array) {
          if (keptBytes >= answerBytesMax) return
          kept.push(chunk.subarray(0, answerBytesMax - keptBytes))
          keptBytes += chunk.length
        },
      }
      const head = await findClient(http).requestStream({ url, method: 'POST', headers, body, timeoutMs, signal }, sink)
      return { status: head.status, body: Buffer.concat(kept).toString() }
    },
    async close() {
      const closing = [...clients.values()].map((client) => client.close())
      clients.clear()
      await Promise.all(closing)
    },
  }
}
