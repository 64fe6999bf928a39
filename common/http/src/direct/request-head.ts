/** What a direct route needs to know of a request. */
export interface RequestHead {
  readonly path: string
  /** Length of the head itself, the empty line included. */
  readonly headBytes: number
  readonly bodyBytes: number
  readonly authorization: string | undefined
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
}

const headBytesMax = 8 * 1024
const headEnd = Buffer.from('\r\n\r\n')

// Names of token characters right before their colon, values without control characters: no folded line, no bare CR or LF, no NUL.
const wellFormed = /^POST (\/[\x21-\x7e]*) HTTP\/1\.1\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)+)\r\n$/
const decimal = /^[0-9]{1,9}$/

/**
 * The head of a POST request that begins at `start` and says the least that HTTP/1.1 asks for: one Host, one Content-Length, nothing about how the
 * body or the connection is to be understood but what is so anyway. Undefined for all else, right or wrong: that is for a complete parser, which
 * gets the same bytes. So whatever is read here, every parser reads the same.
 */
export function readRequestHead(bytes: Buffer, start: number): RequestHead | undefined {
  const end = bytes.indexOf(headEnd, start)
  const headBytes = end + headEnd.length - start
  if (end < 0 || headBytes > headBytesMax) return undefined
  const match = wellFormed.exec(bytes.toString('latin1', start, start + headBytes))
  if (match === null) return undefined
  const fields = match[2]!
  let hosts = 0
  let length: string | undefined
  let authorization: string | undefined
  let contentType: string | undefined
  let contentEncoding: string | undefined
  for (let at = 0; at < fields.length;) {
    const lineEnd = fields.indexOf('\r\n', at)
    const colon = fields.indexOf(':', at)
    const name = fields.slice(at, colon).toLowerCase()
    at = lineEnd + 2
    const value = trimBlanks(fields, colon + 1, lineEnd)
    switch (name) {
      case 'host':
        hosts++
        break
      case 'content-length':
        if (length !== undefined || !decimal.test(value)) return undefined
        length = value
        break
      case 'authorization':
        if (authorization !== undefined) return undefined
        authorization = value
        break
      case 'content-type':
        if (contentType !== undefined) return undefined
        contentType = value
        break
      case 'content-encoding':
        if (contentEncoding !== undefined) return undefined
        contentEncoding = value
        break
      case 'connection':
        if (value.toLowerCase() !== 'keep-alive') return undefined
        break
      case 'transfer-encoding':
      case 'expect':
      case 'upgrade':
      case 'trailer':
      case 'te':
        return undefined
    }
  }
  if (hosts !== 1 || length === undefined) return undefined
  return { path: match[1]!, headBytes, bodyBytes: Number(length), authorization, contentType, contentEncoding }
}

function trimBlanks(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
