/** What NGINX's stub_status page tells. */
export interface StubStatus {
  readonly active: number
  readonly accepted: number
  readonly handled: number
  readonly requests: number
  readonly reading: number
  readonly writing: number
  readonly waiting: number
}

// https://nginx.org/en/docs/http/ngx_http_stub_status_module.html
// Active connections: 291
// server accepts handled requests
//  16630948 16630948 31070465
// Reading: 6 Writing: 179 Waiting: 106

/** Reads the page, also Tengine's, which has one number more, and whatever a patched server has behind it. Throws one clear line for any other bytes. */
export function parseStubStatus(page: Uint8Array): StubStatus {
  reader.load(page)
  reader.expect('Active connections: ')
  const active = reader.number()
  reader.endLine()
  reader.expect('server accepts handled requests')
  reader.skip(' request_time')
  reader.endLine()
  reader.skipBlanks()
  const accepted = reader.number()
  reader.expect(' ')
  const handled = reader.number()
  reader.expect(' ')
  const requests = reader.number()
  reader.skipBlanks()
  reader.skipNumber()
  reader.endLine()
  reader.expect('Reading: ')
  const reading = reader.number()
  reader.expect(' Writing: ')
  const writing = reader.number()
  reader.expect(' Waiting: ')
  const waiting = reader.number()
  reader.endWord()
  if (!reader.isRight) {
    const text = Buffer.from(page.subarray(0, 60)).toString('utf8')
    throw new Error(`cannot read stub_status: want four lines from "Active connections: N" on, got ${JSON.stringify(text)}`)
  }
  return { active, accepted, handled, requests, reading, writing, waiting }
}

const space = 32
const carriageReturn = 13
const lineFeed = 10
const exactDigits = 15

/** Goes over a page; what comes after the first thing that is not as expected means nothing. */
class PageReader {
  isRight = true
  #bytes: Uint8Array = new Uint8Array(0)
  #at = 0

  load(bytes: Uint8Array): void {
    this.#bytes = bytes
    this.#at = 0
    this.isRight = true
  }

  expect(ascii: string): void {
    if (!this.skip(ascii)) this.isRight = false
  }

  skip(ascii: string): boolean {
    const at = this.#at
    for (let i = 0; i < ascii.length; i++) if (this.#bytes[at + i] !== ascii.charCodeAt(i)) return false
    this.#at = at + ascii.length
    return true
  }

  skipBlanks(): void {
    while (this.#bytes[this.#at] === space) this.#at++
  }

  number(): number {
    const start = this.#at
    const value = this.skipNumber()
    const digits = this.#at - start
    if (digits === 0) this.isRight = false
    return digits <= exactDigits ? value : Number(Buffer.from(this.#bytes.subarray(start, this.#at)).toString('latin1'))
  }

  /** As far as digits go, rounded if they are many. */
  skipNumber(): number {
    let value = 0
    for (;;) {
      const digit = (this.#bytes[this.#at] ?? 0) - 48
      if (digit < 0 || digit > 9) return value
      value = value * 10 + digit
      this.#at++
    }
  }

  endLine(): void {
    this.skipBlanks()
    if (this.#bytes[this.#at] === carriageReturn) this.#at++
    if (this.#bytes[this.#at++] !== lineFeed) this.isRight = false
  }

  endWord(): void {
    const byte = this.#bytes[this.#at]
    if (byte !== undefined && byte !== space && (byte < 9 || byte > carriageReturn)) this.isRight = false
  }
}

const reader = new PageReader()
