import type { HttpClientConfig } from '@narthex/config/http-client-config'
import { createHttpClient, type HttpClient } from '@narthex/http/client'

/** Longest answer that is read. */
const answerBytesMax = 1024 * 1024 * 1024
/** More than a server's own limit. */
const timeoutMs = 5 * 60_000

/** What a server said to one request. */
export type ApiAnswer =
  | { readonly status: 'success'; readonly data: unknown; readonly warnings: readonly string[]; readonly infos: readonly string[] }
  | { readonly status: 'error'; readonly errorType: string; readonly error: string }

/** The HTTP API of a Prometheus-compatible server, as its client tools ask it. */
export class ApiClient {
  readonly #base: URL
  readonly #client: HttpClient
  readonly #headers: Readonly<Record<string, string>>

  /** Throws a TypeError with one line for what is no address of HTTP; `http://` may be left out. */
  constructor(server: string, userAgent: string, headers: Readonly<Record<string, string>> = {}, config?: HttpClientConfig) {
    const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(server) ? server : `http://${server}`
    this.#base = new URL(address.endsWith('/') ? address : `${address}/`)
    const { protocol } = this.#base
    if (protocol !== 'http:' && protocol !== 'https:')
      throw new TypeError(`unsupported protocol scheme ${JSON.stringify(protocol.slice(0, -1))}`)
    this.#client = createHttpClient(config, { userAgent })
    this.#headers = headers
  }

  /**
   * POST for what may have long parameters, else GET, which is also the second try where POST is not allowed. Rejects with one line if the server
   * cannot be asked or answers no JSON.
   */
  async ask(path: string, parameters: URLSearchParams, method: 'GET' | 'POST' = 'POST'): Promise<ApiAnswer> {
    const url = new URL(path, this.#base)
    if (method === 'GET') url.search = parameters.toString()
    const answer = await this.#client.request({
      url,
      method,
      headers: { ...this.#headers, ...(method === 'POST' ? { 'content-type': 'application/x-www-form-urlencoded' } : {}) },
      ...(method === 'POST' ? { body: parameters.toString() } : {}),
      timeoutMs,
      bodyBytesMax: answerBytesMax,
    })
    if (method === 'POST' && (answer.status === 405 || answer.status === 501)) return await this.ask(path, parameters, 'GET')
    return readAnswer(Buffer.from(answer.body).toString('utf8'), answer.status)
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}

function readAnswer(text: string, status: number): ApiAnswer {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (cause) {
    throw new Error(describeRefusal(text, status) ?? `want an answer in JSON, got ${JSON.stringify(text.slice(0, 200))}`, { cause })
  }
  const answer = (typeof content === 'object' && content !== null ? content : {}) as Readonly<Record<string, unknown>>
  if (answer['status'] === 'error') return { status: 'error', errorType: String(answer['errorType']), error: String(answer['error']) }
  if (answer['status'] !== 'success' || status >= 300) {
    throw new Error(describeRefusal(text, status) ?? `want an answer with a status, got ${JSON.stringify(text.slice(0, 200))}`)
  }
  const { data, warnings, infos } = answer
  return { status: 'success', data, warnings: readTexts(warnings), infos: readTexts(infos) }
}

/** In promtool's words; undefined for a status of success. */
function describeRefusal(text: string, status: number): string | undefined {
  if (status < 300) return undefined
  const kind =
    status >= 500 ? 'server_error: server error' : status >= 400 ? 'client_error: client error' : 'bad_response: bad response code'
  const detail = text.trim().slice(0, 1000)
  return `${kind}: ${status}${detail === '' ? '' : ` (detail: ${detail})`}`
}

function readTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}
