/** A request that asks for a page and says nothing else about itself than who asks and how. */
export interface PlainRequest {
  readonly method: 'GET' | 'HEAD'
  /** Path and query as sent. */
  readonly target: string
  /** Names in lower case, each once; values without the blanks around them. */
  readonly headers: Readonly<Record<string, string>>
  /** Length of the request, which has no body: the empty line is its end. */
  readonly bytes: number
}

const headBytesMax = 8 * 1024
const headEnd = Buffer.from('\r\n\r\n')

// Names of token characters right before their colon, values without control characters: no folded line, no bare CR or LF, no NUL.
const wellFormed = /^(GET|HEAD) (\/[\x21-\x7e]*) HTTP\/1\.1\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)+)\r\n$/

/** Fields that change how a request, its body or its connection is to be understood, and the one that no object can have. */
const meaningful: ReadonlySet<string> = new Set([
  '__proto__',
  'content-length',
  'expect',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * The GET or HEAD request that begins at `start` and says the least that HTTP/1.1 asks for: one Host, no field twice, nothing about a body or the connection
 * but that it is kept. Undefined for all else, right or wrong: that is for a complete parser, which gets the same bytes. So whatever is read here, every
 * parser reads the same.
 */
export function readPlainRequest(bytes: Buffer, start = 0): PlainRequest | undefined {
  const end = bytes.indexOf(headEnd, start)
  const headBytes = end + headEnd.length - start
  if (end < 0 || headBytes > headBytesMax) return undefined
  const match = wellFormed.exec(bytes.toString('latin1', start, start + headBytes))
  if (match === null) return undefined
  const headers = Object.create(null) as Record<string, string>
  for (const line of match[3]!.slice(0, -2).split('\r\n')) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = trimBlanks(line.slice(colon + 1))
    if (name in headers || meaningful.has(name) || (name === 'connection' && value.toLowerCase() !== 'keep-alive')) return undefined
    headers[name] = value
  }
  if (headers['host'] === undefined) return undefined
  return { method: match[1] as 'GET' | 'HEAD', target: match[2]!, headers, bytes: headBytes }
}

/** What `trim` takes off is more than that. */
function trimBlanks(text: string): string {
  return text.replace(/^[\t ]+|[\t ]+$/g, '')
}

/** Reads the requests of one connection. Who asks again says the same: bytes that are those of the request before are the request before. */
export class PlainRequests {
  #bytes: Buffer = Buffer.alloc(0)
  #request: PlainRequest | undefined

  /** As `readPlainRequest`, at the begin of `bytes`. */
  read(bytes: Buffer): PlainRequest | undefined {
    const known = this.#bytes
    if (this.#request !== undefined && bytes.length >= known.length && known.compare(bytes, 0, known.length) === 0) return this.#request
    const request = readPlainRequest(bytes)
    if (request !== undefined) {
      this.#request = request
      // A copy: the chunk may hold much more, and would be kept with it.
      this.#bytes = Buffer.from(bytes.subarray(0, request.bytes))
    }
    return request
  }
}
