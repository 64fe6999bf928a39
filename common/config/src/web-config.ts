import { boolean, durationMs, filePath, integer, list, map, secret, string } from './codec.ts'
import { tlsVersion, type TlsVersion } from './http-client-config.ts'
import { convertObject, field, object, optional, type Checker } from './object-codec.ts'
import { Secret } from './secret.ts'
import { decodeYaml, type Codec } from './yaml-decode.ts'

export type ClientAuthType =
  'NoClientCert' | 'RequestClientCert' | 'RequireAnyClientCert' | 'VerifyClientCertIfGiven' | 'RequireAndVerifyClientCert'

/** `tls_server_config`; relative paths are resolved against the file's directory. */
export interface TlsServerConfig {
  readonly cert?: string
  readonly certFile?: string
  readonly key?: Secret
  readonly keyFile?: string
  readonly clientAuthType: ClientAuthType
  readonly clientCa?: string
  readonly clientCaFile?: string
  readonly clientAllowedSans: readonly string[]
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  readonly cipherSuites: readonly string[]
  readonly curvePreferences: readonly string[]
  readonly preferServerCipherSuites: boolean
}

/** A checked `web-config.yml`. */
export interface WebConfig {
  /** undefined: plain HTTP. */
  readonly tls?: TlsServerConfig
  readonly http2: boolean
  /** Headers added to every answer. */
  readonly headers: Readonly<Record<string, string>>
  readonly rateLimit?: { readonly intervalMs: number; readonly burst: number }
  /** bcrypt hash by user name; empty: no authentication. */
  readonly basicAuthUsers: Readonly<Record<string, Secret>>
}

interface RawTls extends Omit<TlsServerConfig, 'clientAuthType'> {
  readonly clientAuthType: ClientAuthType | ''
}

interface RawWeb {
  readonly tls?: RawTls
  readonly http: { readonly http2: boolean; readonly headers: Readonly<Record<string, string>> }
  readonly rateLimit?: { readonly intervalMs: number; readonly burst: number }
  readonly basicAuthUsers: Readonly<Record<string, Secret>>
}

const clientAuthTypes: readonly (ClientAuthType | '')[] = [
  '',
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
]

const clientAuthType: Codec<ClientAuthType | ''> = {
  goType: 'string',
  takesNull: true,
  decode(node, context) {
    const given = string.decode(node, context)
    return clientAuthTypes.find((type) => type === given) ?? context.fail(node, `invalid ClientAuth: ${given}`)
  },
  encode: (value) => value,
}

const curves: readonly string[] = ['CurveP256', 'CurveP384', 'CurveP521', 'X25519']

const curve: Codec<string> = {
  goType: 'string',
  decode(node, context) {
    const given = string.decode(node, context)
    return curves.includes(given) ? given : context.fail(node, `unknown curve: ${given}`)
  },
  encode: (value) => value,
}

const cipher: Codec<string> = {
  goType: 'string',
  decode(node, context) {
    const given = string.decode(node, context)
    return /^TLS_[A-Z0-9_]+$/.test(given) ? given : context.fail(node, `unknown cipher: ${given}`)
  },
  encode: (value) => value,
}

const rawTls = object<RawTls>('web.TLSConfig', {
  cert: optional('cert', string),
  certFile: optional('cert_file', filePath),
  key: optional('key', secret),
  keyFile: optional('key_file', filePath),
  clientAuthType: field('client_auth_type', clientAuthType, ''),
  clientCa: optional('client_ca', string),
  clientCaFile: optional('client_ca_file', filePath),
  clientAllowedSans: field('client_allowed_sans', list(string), []),
  minVersion: field('min_version', tlsVersion, 'TLS12'),
  maxVersion: field('max_version', tlsVersion, 'TLS13'),
  cipherSuites: field('cipher_suites', list(cipher), []),
  curvePreferences: field('curve_preferences', list(curve), []),
  preferServerCipherSuites: field('prefer_server_cipher_suites', boolean, true),
})

const httpServer = object<RawWeb['http']>('web.HTTPConfig', {
  http2: field('http2', boolean, true),
  headers: field('headers', map(string), {}),
})

const rateLimit = object<{ intervalMs: number; burst: number }>('web.RateLimiterConfig', {
  intervalMs: field('interval', durationMs, 0),
  burst: field('burst', integer, 0),
})

const rawWeb = object<RawWeb>('web.Config', {
  tls: optional('tls_server_config', rawTls),
  http: field('http_server_config', httpServer, httpServer.defaults()),
  rateLimit: optional('rate_limit', rateLimit),
  basicAuthUsers: field('basic_auth_users', map(secret), {}),
})

const webConfig = convertObject<RawWeb, WebConfig>(rawWeb, checkWeb, () => rawWeb.defaults(), {
  http2: true,
  headers: {},
  basicAuthUsers: {},
})

/** Reads and checks a `web-config.yml` of the exporter toolkit. Throws ConfigError. */
export function parseWebConfig(text: string, path: string): WebConfig {
  return decodeYaml(text, webConfig, () => webConfig.defaults(), { path })
}

function checkWeb(raw: RawWeb, checker: Checker): WebConfig {
  const { fail, context } = checker
  for (const name of Object.keys(raw.http.headers)) checkHeader(name, raw.http.headers[name]!, checker)
  for (const [user, hash] of Object.entries(raw.basicAuthUsers)) {
    if (!/^\$2[abxy]?\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/.test(hash.reveal())) {
      fail(`basic_auth_users: password of ${JSON.stringify(user)} is not a bcrypt hash`, 'basic_auth_users')
    }
  }
  const tls = raw.tls === undefined ? undefined : checkTls(raw.tls, (text) => context.failAt(raw.tls, undefined, text))
  return {
    ...(tls === undefined ? {} : { tls }),
    http2: raw.http.http2,
    headers: raw.http.headers,
    ...(raw.rateLimit === undefined ? {} : { rateLimit: raw.rateLimit }),
    basicAuthUsers: raw.basicAuthUsers,
  }
}

const isSet = (value: string | Secret | undefined): boolean =>
  value instanceof Secret ? !value.isEmpty : value !== undefined && value !== ''

/** An empty section means plain HTTP, as in the toolkit. */
function checkTls(raw: RawTls, fail: (text: string) => never): TlsServerConfig | undefined {
  const { cert, certFile, key, keyFile, clientCa, clientCaFile } = raw
  const hasCa = isSet(clientCa) || isSet(clientCaFile)
  if (![cert, certFile, key, keyFile].some(isSet) && !hasCa && raw.clientAuthType === '') return undefined
  if (!isSet(cert) && !isSet(certFile)) fail('missing one of cert or cert_file')
  if (!isSet(key) && !isSet(keyFile)) fail('missing one of key or key_file')
  if (isSet(cert) && isSet(certFile)) fail('at most one of cert and cert_file must be configured')
  if (isSet(key) && isSet(keyFile)) fail('at most one of key and key_file must be configured')
  if (isSet(clientCa) && isSet(clientCaFile)) fail('at most one of client_ca and client_ca_file must be configured')
  const type = raw.clientAuthType === '' ? 'NoClientCert' : raw.clientAuthType
  if (hasCa && type === 'NoClientCert') fail("Client CA's have been configured without a Client Auth Policy")
  if (!hasCa && (type === 'VerifyClientCertIfGiven' || type === 'RequireAndVerifyClientCert'))
    fail(`client_auth_type ${type} requires client_ca or client_ca_file`)
  if (raw.minVersion > raw.maxVersion) fail('min_version must not be greater than max_version')
  const given = Object.fromEntries(
    Object.entries({ cert, certFile, key, keyFile, clientCa, clientCaFile }).filter(([, value]) => isSet(value)),
  )
  const { cert: _1, certFile: _2, key: _3, keyFile: _4, clientCa: _5, clientCaFile: _6, ...rest } = raw
  return { ...rest, ...given, clientAuthType: type }
}

const allowedHeaderValues: Readonly<Record<string, readonly string[] | undefined>> = {
  'Strict-Transport-Security': undefined,
  'X-Content-Type-Options': ['nosniff'],
  'X-Frame-Options': ['deny', 'sameorigin'],
  'X-XSS-Protection': undefined,
  'Content-Security-Policy': undefined,
  'Cross-Origin-Opener-Policy': undefined,
  'Cross-Origin-Embedder-Policy': undefined,
  'Cross-Origin-Resource-Policy': undefined,
  'Permissions-Policy': undefined,
  'Referrer-Policy': undefined,
}

function checkHeader(name: string, value: string, { fail }: Checker): void {
  if (!Object.hasOwn(allowedHeaderValues, name)) fail(`HTTP header ${JSON.stringify(name)} can not be configured`, 'http_server_config')
  const allowed = allowedHeaderValues[name]
  if (value === '' || allowed === undefined || allowed.includes(value)) return
  fail(`invalid value for ${name}. Expected one of: [${allowed.join(' ')}], but got: ${value}`, 'http_server_config')
}
