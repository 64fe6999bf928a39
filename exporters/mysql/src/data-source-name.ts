import { Secret } from '@narthex/config/secret'
import { parseHostPort, portDefault, type ConnectionSettings, type ServerAddress } from './connection-settings.ts'

/**
 * Reads a data source name of Go's MySQL driver, as older exporters take it from `DATA_SOURCE_NAME`:
 * `user:password@protocol(address)/database?tls=true`. The database and other parameters do not matter here. Its text is a secret: errors
 * do not repeat it.
 */
export function parseDataSourceName(text: string, tlsInsecureSkipVerify: boolean): ConnectionSettings {
  // The last slash ends the address: a password may have slashes, a socket's path is in parentheses.
  const slash = text.lastIndexOf('/')
  if (slash < 0) throw new Error('cannot read DATA_SOURCE_NAME: want user:password@protocol(address)/, got no slash')
  const login = text.slice(0, slash)
  const at = login.lastIndexOf('@')
  const credentials = at < 0 ? '' : login.slice(0, at)
  const colon = credentials.indexOf(':')
  const user = colon < 0 ? credentials : credentials.slice(0, colon)
  if (user === '') throw new Error('cannot read DATA_SOURCE_NAME: want a user, got none')
  const parameters = new URLSearchParams(text.slice(slash + 1).split('?')[1] ?? '')
  const tls = parameters.get('tls') ?? 'false'
  if (!['true', 'false', 'skip-verify', 'preferred'].includes(tls)) {
    throw new Error('cannot read DATA_SOURCE_NAME: want tls=true, false, skip-verify or preferred, got another word')
  }
  const isVerified = tls === 'true' && !tlsInsecureSkipVerify
  return {
    address: readAddress(at < 0 ? login : login.slice(at + 1)),
    user,
    password: new Secret(colon < 0 ? '' : credentials.slice(colon + 1)),
    cleartextAllowed: parameters.get('allowCleartextPasswords') === 'true',
    ...(tls === 'false' && !tlsInsecureSkipVerify ? {} : { tls: { isVerified, isRequired: tls !== 'preferred' } }),
  }
}

function readAddress(text: string): ServerAddress {
  const match = /^([a-z0-9]*)(?:\((.*)\))?$/i.exec(text)
  const [, protocol = '', address = ''] = match ?? []
  if (protocol === 'unix') return { kind: 'unix', path: address === '' ? '/tmp/mysql.sock' : address }
  if (match === null || !/^(|tcp[46]?)$/.test(protocol)) {
    throw new Error('cannot read DATA_SOURCE_NAME: want tcp(host:port) or unix(path), got another address')
  }
  if (address === '') return { kind: 'tcp', host: '127.0.0.1', port: portDefault }
  return parseHostPort(/:[0-9]+$/.test(address) ? address : `${address}:${portDefault}`)
}
