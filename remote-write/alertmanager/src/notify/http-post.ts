import type { HttpClientConfig } from '@narthex/config/http-client-config'

export interface HttpPostRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** `http_config` of the integration or of `global`; undefined is all defaults. */
  readonly http: HttpClientConfig | undefined
  /** undefined is no limit but the signal's. */
  readonly timeoutMs: number | undefined
  readonly signal: AbortSignal
}

/** Posts and gives status and body text; rejects if there is no answer. */
export type HttpPost = (request: HttpPostRequest) => Promise<{ readonly status: number; readonly body: string }>
