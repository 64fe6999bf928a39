import { Secret } from '@narthex/config/secret'
import {
  parseHostPort,
  parsePort,
  portDefault,
  type ConnectionSettings,
  type ServerAddress,
  type TlsSettings,
  type TlsVersion,
} from './connection-settings.ts'

/** Options of one section of a `.my.cnf`: names in lower case with dashes. */
export type CnfSection = ReadonlyMap<string, string>

/** What the command line says where the file says nothing. */
export interface CnfDefaults {
  /** `--mysqld.address`, for section `client`. */
  readonly address: string
  /** `--mysqld.username`, for section `client`. */
  readonly user: string
  /** `MYSQLD_EXPORTER_PASSWORD`, for section `client`. */
  readonly password: string
  /** `--tls.insecure-skip-verify`, for all sections. */
  readonly tlsInsecureSkipVerify: boolean
}

/** Largest option file that is read. */
export const cnfBytesMax = 1024 * 1024

/**
 * Reads an option file: `[section]`, `name = value`, `#` and `;` comments; values may be quoted (`"`, `'`), and `$NAME` and `${NAME}` in
 * them are replaced from the environment. Lines without `=` (flags, `!include`) count for nothing here. Throws with the line's number.
 */
export function parseCnf(text: string, env: NodeJS.ProcessEnv): Map<string, CnfSection> {
  const sections = new Map<string, Map<string, string>>()
  let section: Map<string, string> | undefined
  for (const [index, rawLine] of text.split('\n').entries()) {
    const line = rawLine.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    if (line.startsWith('[')) {
      const name = /^\[([^\]]+)\]/.exec(line)?.[1]
      if (name === undefined) throw new Error(`line ${index + 1}: want [section], got ${JSON.stringify(line)}`)
      section = sections.get(name.trim()) ?? new Map<string, string>()
      sections.set(name.trim(), section)
      continue
    }
    const at = line.indexOf('=')
    if (at < 0 || section === undefined) continue
    const name = line.slice(0, at).trim().toLowerCase().replaceAll('_', '-')
    section.set(name, expandVariables(readValue(line.slice(at + 1).trim()), env))
  }
  return sections
}

/**
 * The way into a server by section name. A section `client.NAME` has what `client` says where it says nothing itself. Sections without a
 * user are left out, and those that cannot be used are reported by `onProblem`.
 */
export function readCnfSettings(
  sections: ReadonlyMap<string, CnfSection>,
  defaults: CnfDefaults,
  onProblem: (section: string, reason: string) => void,
): Map<string, ConnectionSettings> {
  const client = new Map(sections.get('client') ?? [])
  const fill = (name: string, value: string): void => {
    if ((client.get(name) ?? '') === '' && value !== '') client.set(name, value)
  }
  const address = parseHostPort(defaults.address)
  if (address.kind === 'tcp') {
    fill('host', address.host)
    fill('port', String(address.port))
  }
  fill('user', defaults.user)
  fill('password', defaults.password)
  const settings = new Map<string, ConnectionSettings>()
  for (const [name, section] of new Map(sections).set('client', client)) {
    const merged = name.startsWith('client.') ? new Map([...client, ...section]) : section
    try {
      settings.set(name, readSettings(merged, defaults.tlsInsecureSkipVerify))
    } catch (error) {
      onProblem(name, error instanceof Error ? error.message : String(error))
    }
  }
  return settings
}

function readSettings(section: CnfSection, tlsInsecureSkipVerify: boolean): ConnectionSettings {
  const user = section.get('user') ?? ''
  if (user === '') throw new Error('no user specified in section or parent')
  const tls = readTls(section, tlsInsecureSkipVerify)
  return {
    address: readAddress(section),
    user,
    password: new Secret(section.get('password') ?? ''),
    cleartextAllowed: ['enable-cleartext-plugin', 'allow-cleartext-passwords'].some((name) => isOn(section.get(name))),
    ...(tls === undefined ? {} : { tls }),
  }
}

function readAddress(section: CnfSection): ServerAddress {
  const socket = section.get('socket') ?? ''
  if (socket !== '') return { kind: 'unix', path: socket }
  const host = section.get('host') ?? ''
  const port = section.get('port') ?? ''
  return { kind: 'tcp', host: host === '' ? '127.0.0.1' : host, port: port === '' ? portDefault : parsePort(port, `${host}:${port}`) }
}

function readTls(section: CnfSection, insecureSkipVerify: boolean): TlsSettings | undefined {
  const word = (section.get('tls') ?? '').toLowerCase()
  const isUnverified =
    insecureSkipVerify || word === 'skip-verify' || isOn(section.get('ssl-skip-verification')) || isOn(section.get('ssl-skip-verfication'))
  const caFile = section.get('ssl-ca') ?? ''
  const isOff = word === '' || word === 'false' || word === '0'
  if (!isUnverified && isOff && caFile === '') return undefined
  if (!isOff && !['true', '1', 'skip-verify', 'preferred', 'custom'].includes(word)) {
    throw new Error(`tls: want true, false, skip-verify or preferred, got ${JSON.stringify(word)}`)
  }
  const certFile = section.get('ssl-cert') ?? ''
  const keyFile = section.get('ssl-key') ?? ''
  if ((certFile === '') !== (keyFile === '')) throw new Error('ssl-cert and ssl-key: want both or none, got one')
  const serverName = section.get('tls-server-name') ?? ''
  const versionMin = readTlsVersion(section, 'tls-min-version')
  const versionMax = readTlsVersion(section, 'tls-max-version')
  return {
    isVerified: !isUnverified && word !== 'preferred',
    isRequired: word !== 'preferred',
    ...(caFile === '' ? {} : { caFile }),
    ...(certFile === '' ? {} : { certFile, keyFile }),
    ...(serverName === '' ? {} : { serverName }),
    ...(versionMin === undefined ? {} : { versionMin }),
    ...(versionMax === undefined ? {} : { versionMax }),
  }
}

const tlsVersions: Readonly<Record<string, TlsVersion>> = {
  '1.0': 'TLSv1',
  '1.1': 'TLSv1.1',
  '1.2': 'TLSv1.2',
  '1.3': 'TLSv1.3',
}

function readTlsVersion(section: CnfSection, name: string): TlsVersion | undefined {
  const text = section.get(name) ?? ''
  if (text === '') return undefined
  // `1.2`, `TLS1.2`, `TLS12`, `TLSv1.2` are all in use.
  const digits = /^(?:tls_?v?)?1\.?([0-3])$/i.exec(text)?.[1]
  if (digits === undefined) throw new Error(`${name}: want TLS1.0 to TLS1.3, got ${JSON.stringify(text)}`)
  return tlsVersions[`1.${digits}`]
}

function isOn(text: string | undefined): boolean {
  return text !== undefined && ['true', '1', 'on', 'yes', 't'].includes(text.toLowerCase())
}

// Quotes protect what would be a comment, as in MySQL's own programs; `;` begins one only after a blank, because passwords have it.
function readValue(text: string): string {
  const quoted = /^(["'`])(.*?)\1\s*(?:[#;].*)?$/.exec(text)
  if (quoted !== null) return quoted[2]!
  return text.replace(/#.*$|\s;.*$/, '').trim()
}

/** As Go's os.ExpandEnv: an unset variable is empty, a `$` before anything but a name stays. */
function expandVariables(text: string, env: NodeJS.ProcessEnv): string {
  return text.replace(/\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g, (_whole, braced?: string, word?: string) => {
    return env[braced ?? word ?? ''] ?? ''
  })
}
