import { redactGoUrl } from '@narthex/config/go-url'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { parseFamilies } from '@narthex/exporter-kit/family-parser'
import { createHttpClient, type HttpClient } from '@narthex/http/client'
import { readFile } from 'node:fs/promises'
import { byName, type Families } from './compare-families.ts'

/** Largest answer that is read. */
const answerBytesMax = 256 * 1024 * 1024

export interface ExporterAddress {
  /** As given, without a password. */
  readonly text: string
  readonly url: string
  readonly socketPath: string | undefined
  /** A text that was saved earlier, in place of an exporter. */
  readonly filePath: string | undefined
}

/**
 * Reads `http://host:port/metrics`, `https://…`, `host:port`, `unix:/path/of.sock[:/metrics]` or `file:PATH`; without a path it is `/metrics`.
 * Throws one clear line.
 */
export function parseExporterAddress(text: string): ExporterAddress {
  const want = 'want http://host:port/metrics, https://…, host:port, unix:/path.sock:/metrics or file:PATH'
  if (text.startsWith('file:')) {
    const filePath = text.slice('file:'.length)
    if (filePath === '') throw new Error(`cannot use exporter address ${text}: ${want}`)
    return { text, url: '', socketPath: undefined, filePath }
  }
  if (text.startsWith('unix:')) {
    const [socketPath = '', path = '/metrics', ...rest] = text.slice('unix:'.length).split(':')
    if (socketPath === '' || rest.length > 0) throw new Error(`cannot use exporter address ${text}: ${want}`)
    return { text, url: `http://unix${path.startsWith('/') ? path : `/${path}`}`, socketPath, filePath: undefined }
  }
  const url = URL.parse(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new Error(`cannot use exporter address ${redact(text)}: ${want}`)
  }
  if (url.pathname === '/' && !text.endsWith('/')) url.pathname = '/metrics'
  return { text: redact(text), url: url.href, socketPath: undefined, filePath: undefined }
}

export interface ReadExporterOptions {
  readonly timeoutMs: number
  readonly headers: Readonly<Record<string, string>>
}

/** One client for both exporters; the certificate of a server may be let pass. */
export function createExporterClient(skipsVerify: boolean): HttpClient {
  const config = skipsVerify ? { ...defaultHttpClientConfig, tls: { insecureSkipVerify: true } } : defaultHttpClientConfig
  return createHttpClient(config, { userAgent: 'narthex-compare' })
}

/** One scrape in text format 0.0.4. Rejects with one line that names the exporter when it does not answer so. */
export async function readExporter(client: HttpClient, address: ExporterAddress, options: ReadExporterOptions): Promise<Families> {
  try {
    return byName(parseFamilies(await readBody(client, address, options)))
  } catch (cause) {
    throw new Error(`cannot read ${address.text}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

async function readBody(
  client: HttpClient,
  { url, socketPath, filePath }: ExporterAddress,
  options: ReadExporterOptions,
): Promise<Uint8Array> {
  if (filePath !== undefined) return readFile(filePath)
  const { status, body } = await client.request({
    url,
    headers: {
      accept: 'text/plain;version=0.0.4',
      'x-prometheus-scrape-timeout-seconds': String(options.timeoutMs / 1000),
      ...options.headers,
    },
    timeoutMs: options.timeoutMs,
    bodyBytesMax: answerBytesMax,
    ...(socketPath === undefined ? {} : { socketPath }),
  })
  if (status !== 200) {
    const text = Buffer.from(body).toString('utf8', 0, 200).trim()
    throw new Error(`want status 200, got ${status}${text === '' ? '' : `: ${text.split('\n').join(' ')}`}`)
  }
  return body
}

/** Without a password; an address may come without a scheme. */
function redact(text: string): string {
  const assumed = 'http://'
  return text.includes('://') ? redactGoUrl(text) : redactGoUrl(assumed + text).slice(assumed.length)
}
