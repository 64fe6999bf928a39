import { defaultHttpClientConfig, type HttpClientConfig } from '@narthex/config/http-client-config'
import { createHttpClient, type HttpClient } from '@narthex/http/client'
import { DirectClient, isDirect, prepareRequest } from '@narthex/http/direct-client/direct-client'
import { existsSync } from 'node:fs'
import { isRecord, parseJson, textField } from './json-fields.ts'

/** Longest wait for one answer of an engine on this machine. */
export const requestTimeoutMs = 2_000
/** A longer answer is refused. */
const answerBytesMax = 16 * 2 ** 20

export interface EngineTls {
  readonly certFile: string
  readonly keyFile: string
  readonly caFile: string
}

export interface EngineAnswer {
  readonly status: number
  readonly body: Uint8Array
}

/**
 * HTTP to an engine at `unix:///path`, `tcp://host:port`, `http://…` or `https://…`; an empty endpoint is never there. Plain HTTP goes over a kept
 * connection; TLS, credentials in the address and redirects are for the general client, whose library takes 11 MB and is loaded then.
 */
export class EngineClient {
  readonly #base: string
  readonly #socketPath: string | undefined
  readonly #direct = new DirectClient()
  readonly #general: HttpClient
  readonly #headers: Readonly<Record<string, string>>

  /** Throws one clear line for another kind of endpoint. */
  constructor(flag: string, endpoint: string, tls: EngineTls | undefined, userAgent: string) {
    const unix = endpoint === '' ? '' : /^unix:\/\/(.+)$/.exec(endpoint)?.[1]
    this.#socketPath = unix
    this.#base = unix === undefined ? parseBase(flag, endpoint, tls !== undefined) : 'http://engine'
    const config: HttpClientConfig = { ...defaultHttpClientConfig, enableHttp2: false }
    this.#headers = { 'user-agent': userAgent }
    this.#general = createHttpClient(tls === undefined ? config : { ...config, tls: { ...tls, insecureSkipVerify: false } }, {
      userAgent,
      timeoutMs: requestTimeoutMs,
      bodyBytesMax: answerBytesMax,
    })
  }

  /** False for a socket that does not exist. */
  isThere(): boolean {
    return this.#socketPath === undefined || existsSync(this.#socketPath)
  }

  async get(path: string, parameters: Readonly<Record<string, string>>, signal: AbortSignal): Promise<EngineAnswer> {
    const url = new URL(this.#base + path)
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
    const answer = isDirect(undefined, url) ? await this.#askDirectly(url, signal) : undefined
    if (answer !== undefined) return answer
    const { status, body } = await this.#general.request({
      url,
      signal,
      ...(this.#socketPath === undefined ? {} : { socketPath: this.#socketPath }),
    })
    return { status, body }
  }

  /** Undefined for an answer that points elsewhere. */
  #askDirectly(url: URL, signal: AbortSignal): Promise<EngineAnswer | undefined> {
    return this.#direct.exchange(prepareRequest('GET', url, this.#headers, this.#socketPath), {
      timeoutMs: requestTimeoutMs,
      bodyBytesMax: answerBytesMax,
      signal,
      take: ({ headers, status }, body) =>
        status >= 300 && status < 400 && headers['location'] !== undefined ? undefined : { status, body: Uint8Array.from(body) },
    })
  }

  close(): Promise<void> {
    this.#direct.close()
    return this.#general.close()
  }
}

/** An answer that is no answer, with the engine's own words. */
export function refusedBy(engine: string, { status, body }: EngineAnswer): Error {
  let message = ''
  try {
    const value = parseJson(body, 'answer')
    if (isRecord(value)) message = textField(value, 'message')
  } catch {
    message = Buffer.from(body).toString('utf8')
  }
  return new Error(`cannot ask ${engine}: want status 200, got ${status} ${message.slice(0, 200).trim()}`.trimEnd())
}

function parseBase(flag: string, endpoint: string, isTls: boolean): string {
  const base = endpoint.replace(/^tcp:\/\//, isTls ? 'https://' : 'http://').replace(/\/+$/, '')
  if (/^https?:\/\//.test(base) && URL.canParse(base)) return base
  throw new Error(`cannot use flag --${flag} ${endpoint}: want unix:///path, tcp://host:port, http:// or https://`)
}
