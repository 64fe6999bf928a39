import type { Secret } from '@narthex/config/secret'

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: Secret
  /** Of temporary credentials. */
  readonly sessionToken?: Secret
}

export interface SignableRequest {
  readonly method: string
  readonly url: URL
  /** Those that are sent and may not be changed on the way; the host is added. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | string
}

export interface SigningScope {
  readonly region: string
  /** `aps`, `ec2`, `sts` … */
  readonly service: string
  readonly nowMs: number
}

/**
 * The headers that make a request one of these credentials, by AWS Signature Version 4: `authorization`, `x-amz-date` and, with a session,
 * `x-amz-security-token`. The headers of the request are signed too, so they must arrive as they are here. Format: AWS, "Create a signed
 * AWS API request". The path is encoded once more than it is sent, as every service but S3 wants it.
 */
export function signRequest(request: SignableRequest, credentials: AwsCredentials, scope: SigningScope): Record<string, string> {
  // Loaded by who signs: 2 MB that other users of the client do not need.
  const { createHash, createHmac } = process.getBuiltinModule('node:crypto')
  const time = new Date(scope.nowMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
  const added: Record<string, string> = { 'x-amz-date': time }
  if (credentials.sessionToken !== undefined) added['x-amz-security-token'] = credentials.sessionToken.reveal()
  const headers = canonicalHeaders({ ...request.headers, ...added, host: request.url.host })
  const signedNames = headers.map(([name]) => name).join(';')
  const canonical = [
    request.method,
    canonicalPath(request.url.pathname),
    canonicalQuery(request.url.searchParams),
    ...headers.map(([name, value]) => `${name}:${value}`),
    '',
    signedNames,
    createHash('sha256').update(request.body).digest('hex'),
  ].join('\n')
  const date = time.slice(0, 8)
  const credentialScope = `${date}/${scope.region}/${scope.service}/aws4_request`
  const toSign = `AWS4-HMAC-SHA256\n${time}\n${credentialScope}\n${createHash('sha256').update(canonical).digest('hex')}`
  const key = [date, scope.region, scope.service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${credentials.secretAccessKey.reveal()}`,
  )
  const signature = createHmac('sha256', key).update(toSign).digest('hex')
  added['authorization'] =
    `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${credentialScope}, SignedHeaders=${signedNames}, Signature=${signature}`
  return added
}

function canonicalHeaders(headers: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(headers)
    .map(([name, value]): [string, string] => [name.toLowerCase(), value.trim().replaceAll(/ +/g, ' ')])
    .sort(([a], [b]) => compareText(a, b))
}

// The URL class has resolved `.` and `..` already.
function canonicalPath(path: string): string {
  return path
    .replaceAll(/\/{2,}/g, '/')
    .split('/')
    .map(encode)
    .join('/')
}

function canonicalQuery(parameters: URLSearchParams): string {
  return [...parameters]
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([nameA, valueA], [nameB, valueB]) => compareText(nameA, nameB) || compareText(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Everything but RFC 3986's unreserved characters becomes %XX. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
}
