export interface InProcessRequest {
  readonly url: URL
  readonly accept: string
  readonly timeoutMs: number
}

export interface InProcessAnswer {
  readonly status: number
  readonly contentType: string
  /** Not compressed; read in the turn of the event loop in which it is given, so a reused buffer may be given. */
  readonly body: Uint8Array
}

/** An exporter in this process: scraping it is calling it. A throw fails the scrape with the error's text. */
export type InProcessTarget = (request: InProcessRequest) => InProcessAnswer | Promise<InProcessAnswer>

/** The exporters of this process by the address and path under which others would scrape them: `127.0.0.1:9090` and `/exporters/node/metrics`. */
export class InProcessTargets {
  #targets = new Map<string, InProcessTarget>()

  register(address: string, path: string, target: InProcessTarget): void {
    this.#targets.set(`${address}${path}`, target)
  }

  unregister(address: string, path: string): void {
    this.#targets.delete(`${address}${path}`)
  }

  /** The exporter behind this `inProcessKey`, undefined when it is another process'. */
  find(key: string): InProcessTarget | undefined {
    return this.#targets.get(key)
  }
}

/** What an exporter of this process would be registered as, to be asked for with every scrape; only plain http is. */
export function inProcessKey(url: URL): string {
  return url.protocol === 'http:' ? `${url.host}${url.pathname}` : ''
}
