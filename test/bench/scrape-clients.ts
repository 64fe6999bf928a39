import { Agent, get } from 'node:http'

/** How one exporter is asked: over one connection that is kept, as Prometheus does. */
export class ScrapeClient {
  readonly #port: number
  readonly #encoding: 'gzip' | 'identity'
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly milliseconds: number[] = []
  bodyBytes = 0

  constructor(port: number, encoding: 'gzip' | 'identity') {
    this.#port = port
    this.#encoding = encoding
  }

  /** Scrapes so many times, one after the other; rejects at an answer that is not 200. */
  async scrape(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const startMs = performance.now()
      this.bodyBytes = await this.#once()
      this.milliseconds.push(performance.now() - startMs)
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  #once(): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = { 'accept-encoding': this.#encoding, 'x-prometheus-scrape-timeout-seconds': '10' }
      const request = get({ host: '127.0.0.1', port: this.#port, path: '/metrics', agent: this.#agent, headers }, (response) => {
        let bytes = 0
        response.on('data', (chunk: Buffer) => (bytes += chunk.length))
        response.on('end', () => {
          if (response.statusCode === 200) resolve(bytes)
          else reject(new Error(`cannot scrape port ${this.#port}: want 200, got ${response.statusCode}`))
        })
        response.on('error', reject)
      })
      request.on('error', (error) => {
        // A connection that was kept while nobody ran for long: the server has closed it meanwhile.
        if (request.reusedSocket && 'code' in error && error.code === 'ECONNRESET') resolve(this.#once())
        else reject(error)
      })
    })
  }
}

/** Milliseconds from `startMs` until the port gives its first whole answer; rejects after `timeoutMs`. */
export async function waitForFirstScrape(port: number, startMs: number, timeoutMs: number): Promise<number> {
  const client = new ScrapeClient(port, 'identity')
  for (;;) {
    try {
      await client.scrape(1)
      client.close()
      return performance.now() - startMs
    } catch (error) {
      if (performance.now() - startMs > timeoutMs) throw error
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
}
