import { isSeq } from './yaml-library.ts'
import { anything, boolean, durationMs, filePath, list, map, secret, string } from './codec.ts'
import { field, object, optional, type Checker, type ObjectCodec } from './object-codec.ts'
import type { Secret } from './secret.ts'
import { checkRefreshInterval, tagged } from './tagged-discovery.ts'
import { decodeYaml, type Codec } from './yaml-decode.ts'

/** Settings of an exporter by the names of its standalone flags, without the dashes. */
export type ExporterFlags = Readonly<Record<string, string | boolean | number | readonly string[]>>

/** `local_sd_configs` entry; a mechanism of ours: the services of this machine, found by their listening sockets. */
export interface LocalDiscovery {
  readonly mechanism: 'local'
  readonly refreshIntervalMs: number
  /** Names of the rule table; empty for all of them. */
  readonly services: readonly string[]
  /** Globs (`*`, `?`) of what is left alone: process names, program paths, container ids, systemd units, `host:port`. */
  readonly exclude: readonly string[]
  /** Directory of `<service>.yml` files; see `ServiceCredentials`. */
  readonly credentialsDirectory?: string
  /** Whether passwords may be read from the services' own files (my.cnf, redis.conf). */
  readonly readServiceConfigs: boolean
  /** Where the proc file system is mounted. */
  readonly procfs: string
  /** Stands in `instance` for loopback and wildcard addresses; undefined: the machine's name. */
  readonly instanceHost?: string
  /** By service name. */
  readonly exporterFlags: Readonly<Record<string, ExporterFlags>>
}

/** A file of `credentials_dir`: how one gets into a service, and which processes may be told. */
export interface ServiceCredentials {
  readonly username: string
  readonly password?: Secret
  readonly passwordFile?: string
  /** Every given field must fit the process; none given: every process that is recognised as the service. */
  readonly only: {
    readonly user?: string
    readonly exe?: string
    readonly address?: string
    readonly containerId?: string
  }
}

const texts = list(string)

/** A flag's value: text, number, true or false, or a list of texts for a flag that may be repeated. */
const flagValue: Codec<ExporterFlags[string]> = {
  goType: 'exporter flag',
  decode(node, context) {
    if (isSeq(node)) return texts.decode(node, context)
    const value = context.read(anything, node)
    if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value
    return context.fail(node, 'want text, a number, true, false or a list of texts as the value of a flag')
  },
  encode: (value) => value,
}

export const exporterFlags: Codec<ExporterFlags> = map(flagValue, {
  checkKey: (name) => (name.startsWith('-') ? `want the name of a flag without its dashes, got ${JSON.stringify(name)}` : undefined),
})

export const localDiscovery: ObjectCodec<LocalDiscovery> = tagged<LocalDiscovery>(
  'local',
  object('local.plain', {
    refreshIntervalMs: field('refresh_interval', durationMs, 10_000, { always: true }),
    services: field('services', list(string), []),
    exclude: field('exclude', list(string), []),
    credentialsDirectory: optional('credentials_dir', filePath),
    readServiceConfigs: field('read_service_configs', boolean, false, { always: true }),
    procfs: field('procfs', string, '/proc'),
    instanceHost: optional('instance_host', string),
    exporterFlags: field('exporter_flags', map(exporterFlags), {}),
  }),
  (config, checker) => {
    checkRefreshInterval(config, checker)
    if (config.procfs === '') checker.fail('procfs is empty', 'procfs')
    const empty = [...config.services, ...config.exclude].includes('')
    if (empty) checker.fail('services and exclude of local_sd_configs must not have empty entries')
  },
)

const only = object<ServiceCredentials['only']>('only', {
  user: optional('user', string),
  exe: optional('exe', string),
  address: optional('address', string),
  containerId: optional('container_id', string),
})

const serviceCredentials: ObjectCodec<ServiceCredentials> = object<ServiceCredentials>(
  'credentials',
  {
    username: field('username', string, ''),
    password: optional('password', secret),
    passwordFile: optional('password_file', filePath),
    only: field('only', only, {}),
  },
  { check: checkPassword },
)

/** A password stands in the file or in a file of its own. */
export function checkPassword(value: { readonly password?: Secret; readonly passwordFile?: string }, { fail }: Checker): void {
  if (value.password !== undefined && value.passwordFile !== undefined) {
    fail('at most one of password and password_file must be configured', 'password_file')
  }
}

/** Reads a file of `credentials_dir`. Throws ConfigError, whose texts never have a value of the file that is a secret. */
export function parseServiceCredentials(text: string, path: string): ServiceCredentials {
  return decodeYaml(text, serviceCredentials, () => serviceCredentials.defaults(), { path })
}
