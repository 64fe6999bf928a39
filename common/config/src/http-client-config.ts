import { anything, boolean, filePath, list, map, secret, string, text, url } from './codec.ts'
import { convertObject, field, inline, object, optional, type Checker, type ObjectCodec } from './object-codec.ts'
import type { Secret } from './secret.ts'
import type { Codec } from './yaml-decode.ts'

export type TlsVersion = 'TLS10' | 'TLS11' | 'TLS12' | 'TLS13'

/** `tls_config` of a client. A file and its inline twin are never both set. */
export interface TlsConfig {
  readonly ca?: string
  readonly cert?: string
  readonly key?: Secret
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
  readonly serverName?: string
  readonly insecureSkipVerify: boolean
  readonly minVersion?: TlsVersion
  readonly maxVersion?: TlsVersion
}

export interface BasicAuth {
  readonly username: string
  readonly usernameFile?: string
  readonly password?: Secret
  readonly passwordFile?: string
}

/** `bearer_token` and `bearer_token_file` arrive here too, with type Bearer, as in Prometheus. */
export interface Authorization {
  readonly type: string
  readonly credentials?: Secret
  readonly credentialsFile?: string
}

export interface ProxyConfig {
  readonly proxyUrl?: string
  readonly noProxy?: string
  readonly proxyFromEnvironment: boolean
  readonly proxyConnectHeader: Readonly<Record<string, readonly Secret[]>>
}

export interface OAuth2 extends ProxyConfig {
  readonly clientId: string
  readonly clientSecret?: Secret
  readonly clientSecretFile?: string
  readonly clientCertificateKeyId?: string
  readonly clientCertificateKey?: Secret
  readonly clientCertificateKeyFile?: string
  readonly grantType?: string
  readonly signatureAlgorithm?: string
  readonly issuer?: string
  readonly audience?: string
  readonly claims: Readonly<Record<string, unknown>>
  readonly scopes: readonly string[]
  readonly tokenUrl: string
  readonly endpointParams: Readonly<Record<string, string>>
  readonly tls?: TlsConfig
}

export interface HttpHeader {
  readonly values: readonly string[]
  readonly secrets: readonly Secret[]
  readonly files: readonly string[]
}

/** Every field of Prometheus' `http_config`. Relative paths are resolved against the config file's directory already. */
export interface HttpClientConfig extends ProxyConfig {
  readonly basicAuth?: BasicAuth
  readonly authorization?: Authorization
  readonly oauth2?: OAuth2
  readonly tls?: TlsConfig
  readonly followRedirects: boolean
  readonly enableHttp2: boolean
  readonly httpHeaders: Readonly<Record<string, HttpHeader>>
}

export const defaultHttpClientConfig: HttpClientConfig = {
  followRedirects: true,
  enableHttp2: true,
  httpHeaders: {},
  proxyFromEnvironment: false,
  proxyConnectHeader: {},
}

const tlsVersions: readonly TlsVersion[] = ['TLS10', 'TLS11', 'TLS12', 'TLS13']

export const tlsVersion: Codec<TlsVersion> = {
  goType: 'string',
  decode(node, context) {
    const given = text.decode(node, context)
    return tlsVersions.find((version) => version === given) ?? context.fail(node, `unknown TLS version: ${given}`)
  },
  encode: (value) => value,
}

export const tlsConfig: ObjectCodec<TlsConfig> = object<TlsConfig>(
  'config.plain',
  {
    ca: optional('ca', string),
    cert: optional('cert', string),
    key: optional('key', secret),
    caFile: optional('ca_file', filePath),
    certFile: optional('cert_file', filePath),
    keyFile: optional('key_file', filePath),
    serverName: optional('server_name', string),
    insecureSkipVerify: field('insecure_skip_verify', boolean, false, { always: true }),
    minVersion: optional('min_version', tlsVersion),
    maxVersion: optional('max_version', tlsVersion),
  },
  { check: checkTls },
)

function checkTls(given: TlsConfig, { fail }: Checker): TlsConfig {
  const tls = dropEmpty(given)
  if (tls.ca !== undefined && tls.caFile !== undefined) fail('at most one of ca and ca_file must be configured')
  if (tls.cert !== undefined && tls.certFile !== undefined) fail('at most one of cert and cert_file must be configured')
  if (tls.key !== undefined && tls.keyFile !== undefined) fail('at most one of key and key_file must be configured')
  const hasCert = tls.cert !== undefined || tls.certFile !== undefined
  const hasKey = tls.key !== undefined || tls.keyFile !== undefined
  if (hasCert && !hasKey) fail('exactly one of key or key_file must be configured when a client certificate is configured')
  if (hasKey && !hasCert) fail('exactly one of cert or cert_file must be configured when a client key is configured')
  return tls
}

/** A copy without the keys whose value is an empty string or secret: Go does not tell those from absent ones. */
export function dropEmpty<Value extends object>(value: Value): Value {
  const kept = Object.entries(value).filter(
    ([, inner]) => inner !== '' && !(inner instanceof Object && 'isEmpty' in inner && inner.isEmpty === true),
  )
  return Object.fromEntries(kept) as Value
}

const basicAuth = object<BasicAuth>('config.plain', {
  username: field('username', string, ''),
  usernameFile: optional('username_file', filePath),
  password: optional('password', secret),
  passwordFile: optional('password_file', filePath),
})

const authorization = object<Authorization>('config.Authorization', {
  type: field('type', string, ''),
  credentials: optional('credentials', secret),
  credentialsFile: optional('credentials_file', filePath),
})

const header = object<HttpHeader>('config.Header', {
  values: field('values', list(string), []),
  secrets: field('secrets', list(secret, { goType: '[]config.Secret' }), []),
  files: field('files', list(filePath), []),
})

const proxy: ObjectCodec<ProxyConfig> = object<ProxyConfig>('config.ProxyConfig', {
  proxyUrl: optional('proxy_url', url),
  noProxy: optional('no_proxy', string),
  proxyFromEnvironment: field('proxy_from_environment', boolean, false),
  proxyConnectHeader: field('proxy_connect_header', map(list(secret), { goType: 'config.ProxyHeader' }), {}),
})

function checkProxy(given: ProxyConfig, { fail }: Checker): void {
  const hasUrl = given.proxyUrl !== undefined && given.proxyUrl !== ''
  const hasNoProxy = given.noProxy !== undefined && given.noProxy !== ''
  if (Object.keys(given.proxyConnectHeader).length > 0 && !given.proxyFromEnvironment && !hasUrl) {
    fail('if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured', 'proxy_connect_header')
  }
  if (given.proxyFromEnvironment && hasUrl) fail('if proxy_from_environment is configured, proxy_url must not be configured', 'proxy_url')
  if (given.proxyFromEnvironment && hasNoProxy) fail('if proxy_from_environment is configured, no_proxy must not be configured', 'no_proxy')
  if (!hasUrl && hasNoProxy) fail('if no_proxy is configured, proxy_url must also be configured', 'no_proxy')
}

interface RawOAuth2 extends Omit<OAuth2, keyof ProxyConfig> {
  readonly proxy: ProxyConfig
}

const rawOAuth2 = object<RawOAuth2>('config.OAuth2', {
  clientId: field('client_id', string, '', { always: true }),
  clientSecret: optional('client_secret', secret),
  clientSecretFile: optional('client_secret_file', filePath),
  clientCertificateKeyId: optional('client_certificate_key_id', string),
  clientCertificateKey: optional('client_certificate_key', secret),
  clientCertificateKeyFile: optional('client_certificate_key_file', filePath),
  grantType: optional('grant_type', string),
  signatureAlgorithm: optional('signature_algorithm', string),
  issuer: optional('iss', string),
  audience: optional('audience', string),
  claims: field('claims', map(anything), {}),
  scopes: field('scopes', list(string), []),
  tokenUrl: field('token_url', string, '', { always: true }),
  endpointParams: field('endpoint_params', map(string), {}),
  tls: optional('tls_config', tlsConfig),
  proxy: inline(proxy),
})

export const oauth2: ObjectCodec<OAuth2> = convertObject<RawOAuth2, OAuth2>(
  rawOAuth2,
  ({ proxy: proxied, ...own }) => dropEmpty({ ...own, ...proxied }),
  ({ proxyUrl, noProxy, proxyFromEnvironment, proxyConnectHeader, ...own }) => ({
    ...own,
    proxy: dropUndefined({ proxyUrl, noProxy, proxyFromEnvironment, proxyConnectHeader }),
  }),
  { clientId: '', tokenUrl: '', claims: {}, scopes: [], endpointParams: {}, proxyFromEnvironment: false, proxyConnectHeader: {} },
)

interface RawHttpClient extends Omit<HttpClientConfig, keyof ProxyConfig> {
  readonly bearerToken?: Secret
  readonly bearerTokenFile?: string
  readonly proxy: ProxyConfig
}

/** Headers that only a field of their own may set. */
const reservedHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'host',
  'content-encoding',
  'content-length',
  'content-type',
  'user-agent',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'www-authenticate',
  'accept-encoding',
])

/** The keys of `http_config`, to stand alone or among the keys of another object. `initial` has the defaults that differ. */
export function httpClientFields(initial: Partial<Pick<HttpClientConfig, 'enableHttp2'>> = {}): ObjectCodec<HttpClientConfig> {
  const raw = object<RawHttpClient>('config.plain', {
    basicAuth: optional('basic_auth', basicAuth),
    authorization: optional('authorization', authorization),
    oauth2: optional('oauth2', oauth2),
    bearerToken: optional('bearer_token', secret),
    bearerTokenFile: optional('bearer_token_file', filePath),
    tls: optional('tls_config', tlsConfig),
    followRedirects: field('follow_redirects', boolean, true, { always: true }),
    enableHttp2: field('enable_http2', boolean, initial.enableHttp2 ?? true, { always: true }),
    proxy: inline(proxy),
    httpHeaders: field('http_headers', map(header, { goType: 'config.Headers' }), {}),
  })
  return convertObject<RawHttpClient, HttpClientConfig>(
    raw,
    checkHttpClient,
    ({ proxyUrl, noProxy, proxyFromEnvironment, proxyConnectHeader, ...own }) => ({
      ...own,
      proxy: dropUndefined({ proxyUrl, noProxy, proxyFromEnvironment, proxyConnectHeader }),
    }),
    { ...defaultHttpClientConfig, ...initial },
  )
}

export const httpClientConfig: ObjectCodec<HttpClientConfig> = httpClientFields()

function checkHttpClient(raw: RawHttpClient, checker: Checker): HttpClientConfig {
  const { bearerToken, bearerTokenFile, proxy: proxied, ...given } = dropEmpty(raw)
  const { fail } = checker
  const hasBearer = bearerToken !== undefined || bearerTokenFile !== undefined
  if (bearerToken !== undefined && bearerTokenFile !== undefined) {
    fail('at most one of bearer_token & bearer_token_file must be configured', 'bearer_token_file')
  }
  if ((given.basicAuth !== undefined || given.oauth2 !== undefined) && hasBearer) {
    fail('at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured')
  }
  const basic = given.basicAuth === undefined ? undefined : checkBasicAuth(given.basicAuth, checker)
  const authorized = checkAuthorization(given.authorization, given, hasBearer, checker)
  const bearer = dropUndefined<Authorization>({ type: 'Bearer', credentials: bearerToken, credentialsFile: bearerTokenFile })
  if (given.oauth2 !== undefined) checkOAuth2(given.oauth2, given.basicAuth !== undefined, checker)
  checkProxy(proxied, checker)
  for (const name of Object.keys(given.httpHeaders)) {
    if (reservedHeaders.has(name.toLowerCase())) fail(`setting header ${JSON.stringify(name)} is not allowed`, 'http_headers')
  }
  return dropUndefined<HttpClientConfig>({
    ...given,
    ...dropEmpty(proxied),
    basicAuth: basic,
    authorization: authorized ?? (hasBearer ? bearer : undefined),
  })
}

function checkBasicAuth(given: BasicAuth, { fail }: Checker): BasicAuth {
  const basic = { ...dropEmpty(given), username: given.username }
  if (basic.username !== '' && basic.usernameFile !== undefined) {
    fail('at most one of basic_auth username & username_file must be configured', 'basic_auth')
  }
  if (basic.password !== undefined && basic.passwordFile !== undefined) {
    fail('at most one of basic_auth password & password_file must be configured', 'basic_auth')
  }
  return basic
}

function checkAuthorization(
  given: Authorization | undefined,
  others: Pick<RawHttpClient, 'basicAuth' | 'oauth2'>,
  hasBearer: boolean,
  { fail }: Checker,
): Authorization | undefined {
  if (given === undefined) return undefined
  if (hasBearer) fail('authorization is not compatible with bearer_token & bearer_token_file', 'authorization')
  const trimmed = given.type.trim()
  const checked = { ...dropEmpty(given), type: trimmed === '' ? 'Bearer' : trimmed }
  if (checked.credentials !== undefined && checked.credentialsFile !== undefined) {
    fail('at most one of authorization credentials & credentials_file must be configured', 'authorization')
  }
  if (checked.type.toLowerCase() === 'basic') fail('authorization type cannot be set to "basic", use "basic_auth" instead', 'authorization')
  if (others.basicAuth !== undefined || others.oauth2 !== undefined) {
    fail('at most one of basic_auth, oauth2 & authorization must be configured', 'authorization')
  }
  return checked
}

function checkOAuth2(given: OAuth2, hasBasic: boolean, checker: Checker): void {
  const { fail } = checker
  if (hasBasic) fail('at most one of basic_auth, oauth2 & authorization must be configured', 'oauth2')
  if ((given.clientId ?? '') === '') fail('oauth2 client_id must be configured', 'oauth2')
  if ((given.tokenUrl ?? '') === '') fail('oauth2 token_url must be configured', 'oauth2')
  if (given.clientSecret !== undefined && given.clientSecretFile !== undefined) {
    fail('at most one of oauth2 client_secret & client_secret_file must be configured', 'oauth2')
  }
  const grant = given.grantType
  if (grant !== undefined && grant !== 'client_credentials' && grant !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
    fail('oauth2 grant_type must be client_credentials or urn:ietf:params:oauth:grant-type:jwt-bearer', 'oauth2')
  }
  if (grant === 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
    if (given.signatureAlgorithm !== undefined && !['RS256', 'RS384', 'RS512'].includes(given.signatureAlgorithm)) {
      fail('valid signature algorithms are RS256, RS384 and RS512', 'oauth2')
    }
    if (given.clientCertificateKey !== undefined && given.clientCertificateKeyFile !== undefined) {
      fail(
        `at most one of oauth2 client_certificate_key & client_certificate_key_file must be configured using grant-type=${grant}`,
        'oauth2',
      )
    }
  }
  checkProxy(given, checker)
}

/** A copy without the keys whose value is undefined. */
export function dropUndefined<Value extends object>(value: { readonly [Key in keyof Value]: Value[Key] | undefined }): Value {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as Value
}
