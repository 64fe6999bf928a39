import { isMap, isSeq, type Node } from './yaml-library.ts'
import type { RelabelRule } from '@narthex/relabel/relabel'
import { boolean, durationMs, filePath, list, map, secret, string } from './codec.ts'
import { checkPassword, exporterFlags, type ExporterFlags } from './local-discovery.ts'
import { field, object, optional, type Checker, type ObjectCodec } from './object-codec.ts'
import { relabelRules } from './relabel-config.ts'
import { completeScrapeConfig, rawScrapeConfig, type ScrapeConfig, type ScrapeDefaults } from './scrape-config.ts'
import type { Secret } from './secret.ts'
import { wrongType, type Codec, type DecodeContext } from './yaml-decode.ts'

export type EmbeddedExporterKind = 'node' | 'mysql' | 'redis' | 'nginx' | 'container' | 'pushgateway'

const kinds: readonly EmbeddedExporterKind[] = ['node', 'mysql', 'redis', 'nginx', 'container', 'pushgateway']

/** One exporter of the `exporters` section: it runs in this process and is scraped by a job of its own. */
export interface EmbeddedExporterConfig {
  readonly kind: EmbeddedExporterKind
  /** Unique within its kind; a part of the path `/exporters/<kind>/<name>/metrics`. */
  readonly name: string
  /** `host:port` of mysql and redis. */
  readonly address?: string
  /** Unix socket of mysql and redis, in place of the address. */
  readonly socketPath?: string
  /** stub_status of nginx. */
  readonly uri?: string
  readonly username?: string
  readonly password?: Secret
  readonly passwordFile?: string
  readonly flags: ExporterFlags
  /** Labels of all its series, `job` among them. */
  readonly labels: Readonly<Record<string, string>>
  /** Its job, without discovery and path; the job's name is `exporters/<kind>/<name>`. */
  readonly scrape: ScrapeConfig
}

/** An entry as the section says it. */
export interface RawEmbeddedExporter {
  readonly enabled: boolean
  readonly name: string
  readonly address: string
  readonly socketPath: string
  readonly uri: string
  readonly username: string
  readonly password?: Secret
  readonly passwordFile?: string
  readonly flags: ExporterFlags
  readonly jobName: string
  readonly scrapeIntervalMs: number
  readonly scrapeTimeoutMs: number
  readonly labels: Readonly<Record<string, string>>
  readonly relabelConfigs: readonly RelabelRule[]
  readonly metricRelabelConfigs: readonly RelabelRule[]
}

export type RawEmbeddedExporters = Readonly<Record<EmbeddedExporterKind, readonly RawEmbeddedExporter[]>>

const nameSyntax = /^[A-Za-z0-9_.:-]+$/
const addressSyntax = /^(\[[0-9A-Fa-f:.]+\]|[^/:@\s[\]]+):\d{1,5}$/

function entryCodec(kind: EmbeddedExporterKind): ObjectCodec<RawEmbeddedExporter> {
  return object<RawEmbeddedExporter>(
    `exporters.${kind}`,
    {
      enabled: field('enabled', boolean, true, { always: true }),
      name: field('name', string, ''),
      address: field('address', string, ''),
      socketPath: field('socket', filePath, ''),
      uri: field('uri', string, ''),
      username: field('username', string, ''),
      password: optional('password', secret),
      passwordFile: optional('password_file', filePath),
      flags: field('flags', exporterFlags, {}),
      jobName: field('job_name', string, ''),
      scrapeIntervalMs: field('scrape_interval', durationMs, 0),
      scrapeTimeoutMs: field('scrape_timeout', durationMs, 0),
      labels: field('labels', map(string, { goType: 'model.LabelSet' }), {}),
      relabelConfigs: field('relabel_configs', relabelRules('empty or null target relabeling rule in exporter config'), []),
      metricRelabelConfigs: field('metric_relabel_configs', relabelRules('empty or null metric relabeling rule in exporter config'), []),
    },
    { check: (value, checker) => checkEntry(kind, value, checker) },
  )
}

function checkEntry(kind: EmbeddedExporterKind, entry: RawEmbeddedExporter, checker: Checker): void {
  const { fail, has } = checker
  const isServer = kind === 'mysql' || kind === 'redis'
  const allowed = (key: string): boolean => (key === 'uri' ? kind === 'nginx' : isServer)
  for (const key of ['address', 'socket', 'uri', 'username', 'password', 'password_file']) {
    if (has(key) && !allowed(key)) fail(`the ${kind} exporter has no ${key}`, key)
  }
  checkPassword(entry, checker)
  if (entry.name !== '' && !nameSyntax.test(entry.name)) fail('name must be of letters, digits and the characters _ . : -', 'name')
  if (entry.address !== '' && !addressSyntax.test(entry.address)) {
    fail(`address must be host:port, got ${JSON.stringify(entry.address)}`, 'address')
  }
  if (entry.address !== '' && entry.socketPath !== '') fail('at most one of address and socket must be configured', 'socket')
  if (entry.uri !== '' && !/^(https?:\/\/|unix:)/.test(entry.uri)) fail('uri must begin with http://, https:// or unix:', 'uri')
  const bad = Object.keys(entry.labels).find((name) => name === '')
  if (bad !== undefined) fail('"" is not a valid label name', 'labels')
}

/** One entry, or a list of them. */
function entriesCodec(kind: EmbeddedExporterKind): Codec<readonly RawEmbeddedExporter[]> {
  const entry = entryCodec(kind)
  const entries = list(entry, { emptyText: `empty or null entry of exporters.${kind}` })
  return {
    goType: entries.goType,
    decode(node: Node, context) {
      if (isSeq(node)) return entries.decode(node, context)
      if (isMap(node)) return [entry.decode(node, context)]
      throw wrongType(node, entries.goType)
    },
    encode: (values) => entries.encode(values),
  }
}

/** The `exporters` section: kind → one entry or several. */
export const embeddedExporters: ObjectCodec<RawEmbeddedExporters> = object<RawEmbeddedExporters>('exporters', {
  node: field('node', entriesCodec('node'), []),
  mysql: field('mysql', entriesCodec('mysql'), []),
  redis: field('redis', entriesCodec('redis'), []),
  nginx: field('nginx', entriesCodec('nginx'), []),
  container: field('container', entriesCodec('container'), []),
  pushgateway: field('pushgateway', entriesCodec('pushgateway'), []),
})

/** The defaults of the standalone exporters. */
const defaultAddress: Readonly<Partial<Record<EmbeddedExporterKind, string>>> = { mysql: 'localhost:3306', redis: 'localhost:6379' }
const defaultUri = 'http://127.0.0.1:8080/stub_status'

/** Fills in names, addresses and what `global` says. Entries that are not enabled are left out. */
export function completeEmbeddedExporters(
  raw: RawEmbeddedExporters,
  defaults: ScrapeDefaults,
  context: DecodeContext,
): EmbeddedExporterConfig[] {
  return kinds.flatMap((kind) => {
    const names = new Set<string>()
    return raw[kind]
      .filter(({ enabled }) => enabled)
      .map((entry) => {
        const whole = completeEntry(kind, entry, defaults, context)
        if (names.has(whole.name))
          context.failAt(entry, 'name', `found two exporters of kind ${kind} with name ${JSON.stringify(whole.name)}`)
        names.add(whole.name)
        return whole
      })
  })
}

function completeEntry(
  kind: EmbeddedExporterKind,
  entry: RawEmbeddedExporter,
  defaults: ScrapeDefaults,
  context: DecodeContext,
): EmbeddedExporterConfig {
  const { socketPath, username, password, passwordFile, flags } = entry
  const address = entry.address === '' && socketPath === '' ? (defaultAddress[kind] ?? '') : entry.address
  const uri = kind === 'nginx' && entry.uri === '' ? defaultUri : entry.uri
  const name = entry.name === '' ? nameOf(address || socketPath || uri) : entry.name
  const scrape = {
    ...rawScrapeConfig.defaults(),
    jobName: `exporters/${kind}/${name}`,
    scrapeIntervalMs: entry.scrapeIntervalMs,
    scrapeTimeoutMs: entry.scrapeTimeoutMs,
    relabelConfigs: entry.relabelConfigs,
    metricRelabelConfigs: entry.metricRelabelConfigs,
  }
  return {
    kind,
    name,
    ...(address === '' ? {} : { address }),
    ...(socketPath === '' ? {} : { socketPath }),
    ...(uri === '' ? {} : { uri }),
    ...(username === '' ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(passwordFile === undefined ? {} : { passwordFile }),
    flags,
    labels: { job: entry.jobName === '' ? kind : entry.jobName, ...entry.labels },
    scrape: completeScrapeConfig(context.inherit(entry, scrape), defaults, context),
  }
}

/** A name that may stand in a path, made of where the service is. */
function nameOf(place: string): string {
  const name = place
    .replace(/^https?:\/\//, '')
    .replace(/[^A-Za-z0-9_.:-]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return name === '' ? 'local' : name
}
