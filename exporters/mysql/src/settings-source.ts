import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { Logger } from '@narthex/service/logger'
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ConnectionSettings } from './connection-settings.ts'
import { parseDataSourceName } from './data-source-name.ts'
import { cnfBytesMax, parseCnf, readCnfSettings, type CnfSection } from './my-cnf.ts'

export const settingsFlags: readonly FlagSpec[] = [
  {
    name: 'config.my-cnf',
    type: 'string',
    default: join(homedir(), '.my.cnf'),
    help: 'Path to .my.cnf file to read MySQL credentials from.',
  },
  { name: 'mysqld.address', type: 'string', default: 'localhost:3306', help: 'Address to use for connecting to MySQL.' },
  { name: 'mysqld.username', type: 'string', help: 'Username to be used for connecting to MySQL.' },
  {
    name: 'tls.insecure-skip-verify',
    type: 'boolean',
    default: false,
    help: 'Ignore certificate and server verification when using a tls connection.',
  },
]

/**
 * The way into servers by section of `--config.my-cnf`. `client` is made of the file, the flags and `MYSQLD_EXPORTER_PASSWORD`, or of
 * `DATA_SOURCE_NAME` where that is set. The file may be missing. Throws one clear line when nothing can be used.
 */
export function loadSettings(flags: FlagReader, env: NodeJS.ProcessEnv, log: Logger): ReadonlyMap<string, ConnectionSettings> {
  const path = flags.string('config.my-cnf')
  const tlsInsecureSkipVerify = flags.boolean('tls.insecure-skip-verify')
  const sections = readCnfFile(path, env)
  if (sections === undefined && flags.isGiven('config.my-cnf')) log.warn('there is no such option file', { file: path })
  const problems = new Map<string, string>()
  const defaults = {
    address: flags.string('mysqld.address'),
    user: flags.string('mysqld.username'),
    password: env['MYSQLD_EXPORTER_PASSWORD'] ?? '',
    tlsInsecureSkipVerify,
  }
  const settings = readCnfSettings(sections ?? new Map(), defaults, (section, reason) => problems.set(section, reason))
  const dataSourceName = env['DATA_SOURCE_NAME'] ?? ''
  if (dataSourceName !== '') {
    settings.set('client', parseDataSourceName(dataSourceName, tlsInsecureSkipVerify))
    problems.delete('client')
  }
  if (settings.size === 0) {
    throw new Error(`Error parsing host config, file ${path}: no configuration found: [client]: ${problems.get('client')}`)
  }
  // Sections of MySQL's other programs are none of ours.
  for (const [section, reason] of problems) {
    if (section === 'client' || section.startsWith('client.')) log.error('failed to validate config', { section, err: reason })
  }
  return settings
}

/** Undefined if there is no such file. */
function readCnfFile(path: string, env: NodeJS.ProcessEnv): Map<string, CnfSection> | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`failed to load config from ${path}: open ${path}: ${reason}`, { cause: error })
  }
  if (text.length > cnfBytesMax) throw new Error(`failed to load config from ${path}: want at most ${cnfBytesMax} bytes, got more`)
  try {
    return parseCnf(text, env)
  } catch (error) {
    throw new Error(`failed to load config from ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
