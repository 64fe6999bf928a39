import { redactGoUrl } from '@narthex/config/go-url'

/** Where a stub_status page is. */
export interface ScrapeUri {
  /** As given: the value of the label `addr`. */
  readonly text: string
  readonly url: string
  readonly socketPath: string | undefined
  /** Basic authentication of the credentials that the URI holds. */
  readonly authorization: string | undefined
}

/** Reads `http://host/path`, `https://…` and `unix:/path/of.sock[:/path]`. Throws one clear line without the credentials. */
export function parseScrapeUri(text: string): ScrapeUri {
  if (text.startsWith('unix:')) return parseUnix(text)
  let url: URL
  try {
    url = new URL(text)
  } catch (cause) {
    throw new Error(`cannot use scrape URI ${redactGoUrl(text)}: want http://host/path, https://host/path or unix:/path:/path`, { cause })
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error(`cannot use scrape URI ${redactGoUrl(text)}: want http, https or unix, got ${url.protocol.slice(0, -1)}`)
  }
  const { username, password } = url
  url.username = url.password = ''
  const pair = Buffer.from(`${decode(username)}:${decode(password)}`)
  const authorization = username === '' && password === '' ? undefined : `Basic ${pair.toString('base64')}`
  return { text: redactGoUrl(text), url: url.href, socketPath: undefined, authorization }
}

function parseUnix(text: string): ScrapeUri {
  const parts = text.slice('unix:'.length).split(':')
  const [socketPath = '', path = '/'] = parts
  if (parts.length > 2) throw new Error(`cannot use scrape URI ${text}: unix domain socket address has wrong format`)
  if (socketPath === '') throw new Error(`cannot use scrape URI ${text}: want the path of a socket after unix:, got none`)
  return { text, url: `http://unix${path.startsWith('/') ? path : `/${path}`}`, socketPath, authorization: undefined }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
