import type { Endpoint } from './endpoints.ts'
import { probeHttp } from './probe-http.ts'
import { describeEndpoint } from './probe-connection.ts'
import { oneLine } from './probe-result.ts'
import type { ProbeResult } from './probe-result.ts'

const exposition = /^(text\/plain|application\/openmetrics-text|application\/vnd\.google\.protobuf)\b/i

/** GET of the metrics page: what comes must call itself an exposition and begin as one. */
export async function probeMetrics(endpoint: Endpoint, path: string, timeoutMs: number): Promise<ProbeResult> {
  const answer = await probeHttp(endpoint, 'http', path, timeoutMs)
  const at = (scheme: string): { uri: string } => ({ uri: `${scheme}://${describeEndpoint(endpoint)}${path}` })
  if (answer.status === 401 || answer.status === 403) {
    return { kind: 'needs-credentials', reason: `GET ${path} is answered with status ${answer.status}`, address: at('http') }
  }
  // What Go's servers say to plain HTTP on a TLS port; the scrape will verify the certificate.
  if (answer.status === 400 && answer.start.includes('HTTP request to an HTTPS server')) return { kind: 'confirmed', address: at('https') }
  if (answer.status !== 200) return { kind: 'other', reason: `GET ${path} is answered with status ${answer.status}` }
  if (!exposition.test(answer.contentType)) {
    return { kind: 'other', reason: `GET ${path} is answered with content type ${oneLine(JSON.stringify(answer.contentType))}` }
  }
  if (/^text\/plain/i.test(answer.contentType) && !beginsAsExposition(answer.start)) {
    return { kind: 'other', reason: `GET ${path} is answered with a text that is no metrics` }
  }
  return { kind: 'confirmed', address: at('http') }
}

/** Empty, a comment, or a sample: a name, labels maybe, and a number. */
function beginsAsExposition(text: string): boolean {
  const first = text.split('\n', 20).find((line) => line.trim() !== '')
  if (first === undefined || first.startsWith('#')) return true
  return /^[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})?[ \t]+[-+]?(\d|\.\d|NaN|Inf)/.test(first) || first.startsWith('{"')
}
