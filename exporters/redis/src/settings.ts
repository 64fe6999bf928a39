import type { FlagReader } from '@narthex/exporter-kit/flag-reader'
import { SearchRegex } from '@narthex/model/regex'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { ConnectionOptions } from 'node:tls'
import { parseKeyArguments, type KeyArgument } from './key-arguments.ts'

/** A Lua script that collects further metrics. */
export interface LuaScript {
  readonly filename: string
  readonly text: string
}

/** What one scrape may look at by key; `/scrape` can set these by query. */
export interface KeySettings {
  readonly checkKeys: readonly KeyArgument[]
  readonly checkSingleKeys: readonly KeyArgument[]
  readonly checkStreams: readonly KeyArgument[]
  readonly checkSingleStreams: readonly KeyArgument[]
  readonly countKeys: readonly KeyArgument[]
}

/** The flags, checked. */
export interface RedisSettings extends KeySettings {
  readonly namespace: string
  readonly user: string
  readonly password: string
  readonly keyGroups: readonly string[]
  readonly keyGroupsMax: number
  readonly batchSize: number
  readonly excludesConsumers: boolean
  readonly excludesKeyValues: boolean
  readonly skipsKeysOnMaster: boolean
  readonly appendsRole: boolean
  readonly scripts: readonly LuaScript[]
  /** Scripts may not write: EVAL_RO. */
  readonly scriptsAreReadOnly: boolean
  readonly isCluster: boolean
  readonly discoversHostnames: boolean
  readonly isTile38: boolean
  /** Empty: CONFIG is not asked. */
  readonly configCommand: string
  readonly includesConfig: boolean
  readonly redactsConfig: boolean
  readonly includesSystem: boolean
  readonly includesRdbSize: boolean
  readonly includesSentinelPeers: boolean
  readonly includesModules: boolean
  readonly searchIndexes: SearchRegex | undefined
  readonly includesEmptyDatabases: boolean
  readonly excludesHistograms: boolean
  readonly exportsClients: boolean
  readonly exportsClientPorts: boolean
  readonly setsClientName: boolean
  readonly pings: boolean
  readonly timeoutMs: number
  readonly tls: TlsSettings
}

/** Paths are empty where nothing is given. */
export interface TlsSettings {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  readonly serverName: string
  readonly skipsVerification: boolean
}

const keyFlags = {
  checkKeys: 'check-keys',
  checkSingleKeys: 'check-single-keys',
  checkStreams: 'check-streams',
  checkSingleStreams: 'check-single-streams',
  countKeys: 'count-keys',
} as const

/** Throws one clear line for a value that cannot be used. Reads the files of scripts. */
export function readSettings(flags: FlagReader): RedisSettings {
  const namespace = flags.string('namespace')
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(namespace)) {
    throw new Error(`cannot use flag --namespace: want the beginning of a metric name, got ${JSON.stringify(namespace)}`)
  }
  const configCommand = flags.string('config-command')
  const timeoutMs = flags.durationMs('connection-timeout')
  if (timeoutMs <= 0) throw new Error(`cannot use flag --connection-timeout: want more than 0, got ${timeoutMs} ms`)
  return {
    ...readKeySettings((flag) => flags.string(flag)),
    namespace,
    user: flags.string('redis.user'),
    password: flags.string('redis.password'),
    keyGroups: splitList(flags.string('check-key-groups')),
    keyGroupsMax: readCount(flags, 'max-distinct-key-groups', 0),
    batchSize: readCount(flags, 'check-keys-batch-size', 1),
    excludesConsumers: flags.boolean('streams-exclude-consumer-metrics'),
    excludesKeyValues: flags.boolean('disable-exporting-key-values'),
    skipsKeysOnMaster: flags.boolean('skip-checkkeys-for-role-master'),
    appendsRole: flags.boolean('append-instance-role-label'),
    scripts: splitList(flags.string('script')).map((filename) => ({ filename, text: readScript(filename) })),
    scriptsAreReadOnly: flags.boolean('lua-script-read-only'),
    isCluster: flags.boolean('is-cluster'),
    discoversHostnames: flags.boolean('cluster-discover-hostnames'),
    isTile38: flags.boolean('is-tile38'),
    configCommand: configCommand === '-' ? '' : configCommand,
    includesConfig: flags.boolean('include-config-metrics'),
    redactsConfig: flags.boolean('redact-config-metrics'),
    includesSystem: flags.boolean('include-system-metrics'),
    includesRdbSize: flags.boolean('include-rdb-file-size-metric'),
    includesSentinelPeers: flags.boolean('include-sentinel-peer-info'),
    includesModules: flags.boolean('include-modules-metrics'),
    searchIndexes: flags.boolean('include-search-indexes-metrics') ? new SearchRegex(flags.string('check-search-indexes')) : undefined,
    includesEmptyDatabases: flags.boolean('include-metrics-for-empty-databases'),
    excludesHistograms: flags.boolean('exclude-latency-histogram-metrics'),
    exportsClients: flags.boolean('export-client-list'),
    exportsClientPorts: flags.boolean('export-client-port'),
    setsClientName: flags.boolean('set-client-name'),
    pings: flags.boolean('ping-on-connect'),
    timeoutMs,
    tls: readTls(flags),
  }
}

/** The settings with what a query of `/scrape` says instead. Throws one clear line for a list that cannot be read. */
export function overrideByQuery(settings: RedisSettings, query: URLSearchParams): RedisSettings {
  const serverName = query.get('tls_server_name') ?? ''
  const given = readKeySettings((flag) => query.get(flag) ?? '')
  return {
    ...settings,
    ...Object.fromEntries(Object.entries(given).filter(([, list]) => list.length > 0)),
    ...(serverName === '' ? {} : { tls: { ...settings.tls, serverName } }),
  }
}

function readKeySettings(read: (flag: string) => string): KeySettings {
  const list = (name: keyof typeof keyFlags): readonly KeyArgument[] => parseKeyArguments(keyFlags[name], read(keyFlags[name]))
  return {
    checkKeys: list('checkKeys'),
    checkSingleKeys: list('checkSingleKeys'),
    checkStreams: list('checkStreams'),
    checkSingleStreams: list('checkSingleStreams'),
    countKeys: list('countKeys'),
  }
}

function readTls(flags: FlagReader): TlsSettings {
  const certFile = flags.string('tls-client-cert-file')
  const keyFile = flags.string('tls-client-key-file')
  if ((certFile === '') !== (keyFile === '')) {
    throw new Error('cannot use flags --tls-client-cert-file and --tls-client-key-file: want both or none, got one')
  }
  return {
    caFile: flags.string('tls-ca-cert-file'),
    certFile,
    keyFile,
    serverName: flags.string('tls-server-name'),
    skipsVerification: flags.boolean('skip-tls-verification'),
  }
}

/** Reads the certificates for one connection, so that renewed ones need no restart. Rejects with one clear line. */
export async function loadTls(tls: TlsSettings): Promise<ConnectionOptions> {
  const [ca, cert, key] = await Promise.all([
    readPem('tls-ca-cert-file', tls.caFile),
    readPem('tls-client-cert-file', tls.certFile),
    readPem('tls-client-key-file', tls.keyFile),
  ])
  return {
    rejectUnauthorized: !tls.skipsVerification,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    ...(tls.serverName === '' ? {} : { servername: tls.serverName }),
  }
}

async function readPem(flag: string, path: string): Promise<Buffer | undefined> {
  if (path === '') return undefined
  try {
    return await readFile(path)
  } catch (cause) {
    throw new Error(`cannot read the file of --${flag}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

function readScript(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Error(`cannot read the file of --script: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

function readCount(flags: FlagReader, name: string, min: number): number {
  const value = flags.number(name)
  if (!Number.isSafeInteger(value) || value < min)
    throw new Error(`cannot use flag --${name}: want a whole number from ${min} on, got ${value}`)
  return value
}

function splitList(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
