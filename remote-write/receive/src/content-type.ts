export type WireVersion = 1 | 2

const mediaType = 'application/x-protobuf'
const messages: Readonly<Record<string, WireVersion>> = { 'prometheus.WriteRequest': 1, 'io.prometheus.write.v2.Request': 2 }

/** The version that a Content-Type asks for (missing = 1.0), or the text of the 415 answer. */
export function readContentType(contentType: string | undefined): WireVersion | string {
  const text = (contentType ?? '').trim()
  if (text === '') return 1
  const [media, ...parameters] = text.split(';').map((part) => part.trim())
  if (media?.toLowerCase() !== mediaType) return `expected ${mediaType} as the first (media) part, got ${text} content-type`
  for (const parameter of parameters) {
    const equals = parameter.indexOf('=')
    if (equals < 0) return `expected parameters to be key-values, got ${parameter} in ${text} content-type`
    if (parameter.slice(0, equals).trim().toLowerCase() !== 'proto') continue
    const message = parameter
      .slice(equals + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1')
    const version = Object.hasOwn(messages, message) ? messages[message] : undefined
    return (
      version ??
      `got ${text} content type; unknown remote write protobuf message ${message}, supported: ${Object.keys(messages).join(', ')}`
    )
  }
  return 1
}

/** Undefined if the body is a snappy block (a missing header says so too), else the text of the 415 answer. */
export function checkContentEncoding(encoding: string | undefined): string | undefined {
  const text = (encoding ?? '').trim()
  if (text === '' || text.toLowerCase() === 'snappy') return undefined
  return `${text} encoding (compression) is not accepted by this server; only snappy is acceptable`
}
