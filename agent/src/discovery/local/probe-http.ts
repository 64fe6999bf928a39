import { request as requestHttp } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Endpoint } from './endpoints.ts'
import { describeEndpoint, NoAnswerError } from './probe-connection.ts'

export interface ProbeAnswer {
  readonly status: number
  readonly contentType: string
  /** Its beginning; what is behind the bound is not waited for. */
  readonly start: string
}

const headBytesMax = 16 * 1024
const bodyBytesMax = 64 * 1024

/** GETs a page for a look at its beginning. Throws NoAnswerError when nobody answers, Error when what answers does not speak HTTP. */
export function probeHttp(endpoint: Endpoint, scheme: 'http' | 'https', path: string, timeoutMs: number): Promise<ProbeAnswer> {
  const place = describeEndpoint(endpoint)
  const request = scheme === 'https' ? requestHttps : requestHttp
  const { promise, resolve, reject } = Promise.withResolvers<ProbeAnswer>()
  const call = request({
    ...(endpoint.kind === 'unix' ? { socketPath: endpoint.path } : { host: endpoint.host, port: endpoint.port }),
    path,
    agent: false,
    maxHeaderSize: headBytesMax,
    headers: {
      host: endpoint.kind === 'unix' ? 'localhost' : place,
      accept: 'text/plain;version=0.0.4;q=0.9,*/*;q=0.1',
      'user-agent': 'Narthex-discovery',
      connection: 'close',
    },
    // It is this machine's own service, and nothing secret is said.
    rejectUnauthorized: false,
  })
  const timer = setTimeout(() => {
    reject(new NoAnswerError(`no answer from ${place} within ${timeoutMs / 1000} s`))
    call.destroy()
  }, timeoutMs)
  call.once('error', (cause: NodeJS.ErrnoException) => reject(explain(cause, place)))
  call.once('response', (response) => {
    readStart(response).then(
      (start) => resolve({ status: response.statusCode ?? 0, contentType: response.headers['content-type'] ?? '', start }),
      (cause: NodeJS.ErrnoException) => reject(explain(cause, place)),
    )
  })
  call.end()
  return promise.finally(() => {
    clearTimeout(timer)
    call.destroy()
  })
}

async function readStart(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length >= bodyBytesMax) break
  }
  return Buffer.concat(chunks).toString('utf8', 0, bodyBytesMax)
}

function explain(cause: NodeJS.ErrnoException, place: string): Error {
  const code = cause.code ?? cause.message
  // The parser's errors are of an answer in another protocol.
  if (code.startsWith('HPE_') || code.startsWith('ERR_SSL')) return new Error(`${place} does not speak HTTP`, { cause })
  return new NoAnswerError(`${place}: ${code}`, { cause })
}
