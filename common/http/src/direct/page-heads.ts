import { STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http'

type Headers = Readonly<Record<string, string>>

/** Writes the heads of answers as node:http does, and remembers what does not change from one to the next. */
export class PageHeads {
  readonly #webHeaders: () => Headers
  readonly #keepAliveSeconds: number
  // What the fields before the length were written from last.
  #status = 0
  #headers: Headers | undefined
  #web: Headers | undefined
  #start = ''
  // What stands behind the length, and in which second it does.
  #second = -1
  #end = ''

  /** `webHeaders` go with every answer that has none of the name; the same object until they change. */
  constructor(webHeaders: () => Headers, keepAliveMs: number) {
    this.#webHeaders = webHeaders
    this.#keepAliveSeconds = Math.floor(keepAliveMs / 1000)
  }

  /**
   * The head of an answer with a body of so many bytes, after which the connection goes on; to be sent as Latin-1. `headers` may not change once they were
   * given. Throws what node:http throws for a header that cannot be sent.
   */
  write(status: number, headers: Headers, bodyBytes: number, nowMs: number): string {
    const web = this.#webHeaders()
    if (headers !== this.#headers || status !== this.#status || web !== this.#web) {
      this.#start = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n${formatHeaders(web, headers)}`
      this.#status = status
      this.#headers = headers
      this.#web = web
    }
    const second = Math.floor(nowMs / 1000)
    if (second !== this.#second) {
      this.#second = second
      const date = new Date(nowMs).toUTCString()
      this.#end = `\r\nDate: ${date}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${this.#keepAliveSeconds}\r\n\r\n`
    }
    return `${this.#start}content-length: ${bodyBytes}${this.#end}`
  }
}

function formatHeaders(web: Headers, own: Headers): string {
  const fields = new Map<string, readonly [name: string, value: string]>()
  for (const headers of [web, own]) {
    for (const [name, value] of Object.entries(headers)) {
      validateHeaderName(name)
      validateHeaderValue(name, value)
      fields.set(name.toLowerCase(), [name, value])
    }
  }
  let text = ''
  for (const [name, value] of fields.values()) text += `${name}: ${value}\r\n`
  return text
}
