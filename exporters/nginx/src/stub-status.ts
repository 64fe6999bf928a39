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
const page =
  /^Active connections: ([0-9]+) *\r?\nserver accepts handled requests(?: request_time)? *\r?\n *([0-9]+) ([0-9]+) ([0-9]+)(?: [0-9]+)? *\r?\nReading: ([0-9]+) Writing: ([0-9]+) Waiting: ([0-9]+)(?!\S)/

/** Reads the page, also Tengine's, which has one number more, and whatever a patched server has behind it. Throws one clear line for any other text. */
export function parseStubStatus(text: string): StubStatus {
  const match = page.exec(text)
  if (match === null) {
    throw new Error(`cannot read stub_status: want four lines from "Active connections: N" on, got ${JSON.stringify(text.slice(0, 60))}`)
  }
  const [active = 0, accepted = 0, handled = 0, requests = 0, reading = 0, writing = 0, waiting = 0] = match.slice(1).map(Number)
  return { active, accepted, handled, requests, reading, writing, waiting }
}
