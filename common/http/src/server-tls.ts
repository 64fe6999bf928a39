import type { ClientAuthType, TlsServerConfig } from '@narthex/config/web-config'
import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { ServerOptions } from 'node:https'
import type { SecureContextOptions, SecureVersion, TLSSocket } from 'node:tls'

/** What a TLS listener needs, kept up to date with the files. */
export interface TlsSettings {
  serverOptions(): ServerOptions
  contextOptions(): SecureContextOptions
  /** Reads the files again; true when something changed. Throws, and keeps the old state, when a file cannot be read. */
  reload(config: TlsServerConfig): boolean
  /** Puts the checks on client certificates that OpenSSL does not do itself on the server. */
  guard(server: Server): void
}

const secureVersions: Readonly<Record<TlsServerConfig['minVersion'], SecureVersion>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
}

const requiresCertificate: ReadonlySet<ClientAuthType> = new Set(['RequireAnyClientCert', 'RequireAndVerifyClientCert'])
const verifiesCertificate: ReadonlySet<ClientAuthType> = new Set(['VerifyClientCertIfGiven', 'RequireAndVerifyClientCert'])

export function createTlsSettings(initial: TlsServerConfig): TlsSettings {
  let config = initial
  let context = readContext(config)
  let print = fingerprint(context)
  return {
    serverOptions: () => ({
      ...context,
      requestCert: config.clientAuthType !== 'NoClientCert',
      // Each verdict is made in `guard`, which knows the five client_auth_type values.
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    }),
    contextOptions: () => context,
    reload(next) {
      const nextContext = readContext(next)
      const nextPrint = fingerprint(nextContext)
      config = next
      if (nextPrint === print) return false
      context = nextContext
      print = nextPrint
      return true
    },
    guard(server) {
      server.on('secureConnection', (socket: TLSSocket) => {
        if (!isClientAccepted(config, socket)) socket.destroy()
      })
    },
  }
}

function isClientAccepted(config: TlsServerConfig, socket: TLSSocket): boolean {
  if (config.clientAuthType === 'NoClientCert') return true
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return !requiresCertificate.has(config.clientAuthType)
  if (verifiesCertificate.has(config.clientAuthType) && !socket.authorized) return false
  if (config.clientAllowedSans.length === 0) return true
  const names = (certificate.subjectAltName ?? '').split(', ').map((name) => name.replace(/^(DNS|IP Address|email|URI):/, ''))
  return names.some((name) => config.clientAllowedSans.includes(name))
}

function readContext(config: TlsServerConfig): SecureContextOptions {
  const cert = config.cert ?? readFileSync(config.certFile!)
  const key = config.key?.reveal() ?? readFileSync(config.keyFile!)
  const ca = config.clientCa ?? (config.clientCaFile === undefined ? undefined : readFileSync(config.clientCaFile))
  const ciphers = config.cipherSuites.map((suite) => opensslCipherName(suite))
  const allowsOld = config.minVersion === 'TLS10' || config.minVersion === 'TLS11'
  const list = [...ciphers, ...(allowsOld ? [ciphers.length === 0 ? 'DEFAULT@SECLEVEL=0' : '@SECLEVEL=0'] : [])].join(':')
  return {
    cert,
    key,
    minVersion: secureVersions[config.minVersion],
    maxVersion: secureVersions[config.maxVersion],
    honorCipherOrder: config.preferServerCipherSuites,
    ...(ca === undefined ? {} : { ca }),
    ...(list === '' ? {} : { ciphers: list }),
    ...(config.curvePreferences.length === 0 ? {} : { ecdhCurve: config.curvePreferences.map(opensslCurveName).join(':') }),
  }
}

function fingerprint(context: SecureContextOptions): string {
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256')
  for (const part of [context.cert, context.key, context.ca]) hash.update(part === undefined ? '' : String(part)).update('\0')
  return hash.update(JSON.stringify([context.minVersion, context.maxVersion, context.ciphers, context.ecdhCurve])).digest('hex')
}

// Go names suites as the registry does (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256), OpenSSL in its own way (ECDHE-RSA-AES128-GCM-SHA256);
// TLS 1.3 suites are the same in both.
function opensslCipherName(suite: string): string {
  const match = /^TLS_(?:(ECDHE_(?:RSA|ECDSA))|RSA)_WITH_(.+)$/.exec(suite)
  if (match === null) return suite
  const exchange = match[1] === undefined ? '' : `${match[1].replace('_', '-')}-`
  const cipher = match[2]!
    .replace(/^AES_(128|256)_CBC_/, 'AES$1-')
    .replace(/^AES_(128|256)_/, 'AES$1-')
    .replace(/^CHACHA20_POLY1305.*/, 'CHACHA20-POLY1305')
    .replace(/^3DES_EDE_CBC_SHA/, 'DES-CBC3-SHA')
    .replace(/^RC4_128_SHA/, 'RC4-SHA')
  return exchange + cipher.replaceAll('_', '-')
}

function opensslCurveName(curve: string): string {
  const names: Readonly<Record<string, string>> = { CurveP256: 'P-256', CurveP384: 'P-384', CurveP521: 'P-521', X25519: 'X25519' }
  return names[curve] ?? curve
}
