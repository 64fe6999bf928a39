import type { Logger } from '@narthex/service/logger'
import type { Buffer } from 'node:buffer'
import { ClusterNodes } from './cluster-nodes.ts'
import { writeClients } from './collect-clients.ts'
import { writeConfig } from './collect-config.ts'
import { readFieldNumber, writeField, writeInfo, type InfoSummary } from './collect-info.ts'
import { collectKeyGroups } from './collect-key-groups.ts'
import { collectKeyCounts, collectKeys } from './collect-keys.ts'
import { writeLatencyHistograms, writeLatencySpikes } from './collect-latency.ts'
import { writeModules } from './collect-modules.ts'
import { collectRdbSize } from './collect-rdb-size.ts'
import { collectScripts } from './collect-scripts.ts'
import { collectSearchIndexes } from './collect-search-indexes.ts'
import { collectSentinel } from './collect-sentinel.ts'
import type { CommandTable } from './command-table.ts'
import { commandlogKinds, writeCommandlog, writeSlowlog } from './collect-slowlog.ts'
import { collectStreams } from './collect-streams.ts'
import { writeTile38 } from './collect-tile38.ts'
import { infoFields, otherField } from './info-fields.ts'
import { InfoReport } from './info-report.ts'
import type { KeptConnections } from './kept-connections.ts'
import { isRefusal, type KeyPlaces } from './key-places.ts'
import { openNode, openTarget, type Target } from './open-target.ts'
import type { RedisClient } from './redis-client.ts'
import { isLasting, type RefusalMemory } from './refusal-memory.ts'
import { RespError, type RespValue } from './resp-reader.ts'
import { bytesOf, errorOf } from './resp-value.ts'
import type { RedisSettings } from './settings.ts'
import { FamilyNames, TargetWriter } from './target-writer.ts'

/** Steps that select databases. */
const keySteps: readonly string[] = ['check-keys', 'check-streams', 'count-keys', 'check-key-groups']

/** A Redis without CONFIG has this many databases, as long as nobody says otherwise. */
const databasesDefault = 16

export interface TargetScrape {
  readonly target: Target
  readonly writer: TargetWriter
  /** Names of the steps that are wanted. */
  readonly steps: ReadonlySet<string>
  readonly refusals: RefusalMemory
  readonly log: Logger
  /** Used while this scrape writes what INFO says, by others at other times. */
  readonly commands: CommandTable
  readonly connections: KeptConnections
  /** Ends the scrape: what was written until then stays. */
  readonly signal: AbortSignal
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number
}

export interface ScrapeResult {
  /** True once the server has answered INFO. */
  readonly isUp: boolean
  /** Empty: all went well. */
  readonly error: string
}

/** The steps that settings switch on, by the names that `collect[]` takes. */
export function enabledSteps(settings: RedisSettings): readonly string[] {
  const steps: readonly (readonly [string, boolean])[] = [
    ['config', settings.configCommand !== ''],
    ['info', true],
    ['cluster', true],
    ['latency', true],
    ['slowlog', true],
    ['commandlog', true],
    ['sentinel', true],
    ['check-keys', settings.checkKeys.length + settings.checkSingleKeys.length > 0],
    ['check-streams', settings.checkStreams.length + settings.checkSingleStreams.length > 0],
    ['count-keys', settings.countKeys.length > 0],
    ['check-key-groups', settings.keyGroups.length > 0],
    ['client-list', settings.exportsClients],
    ['modules', settings.includesModules],
    ['search_indexes', settings.searchIndexes !== undefined],
    ['rdb', settings.includesRdbSize && settings.configCommand !== ''],
    ['tile38', settings.isTile38],
    ['script', settings.scripts.length > 0],
  ]
  return steps.filter(([, isOn]) => isOn).map(([name]) => name)
}

/** Every name of `enabledSteps`. */
export const stepNames: readonly string[] = (
  'config info cluster latency slowlog commandlog sentinel check-keys check-streams count-keys check-key-groups client-list modules ' +
  'search_indexes rdb tile38 script'
).split(' ')

/** Scrapes one server over one connection. Never rejects. */
export async function scrapeTarget(scrape: TargetScrape): Promise<ScrapeResult> {
  const { target, writer, signal, connections } = scrape
  const kept = connections.take(target, signal)
  if (kept !== undefined) {
    const result = await scrapeOver(scrape, kept, false)
    // The server may have closed it in this very moment: that is no reason to call it down.
    if (result.isUp || signal.aborted) {
      writeConnectTime(writer, 0)
      return result
    }
  }
  const startMs = performance.now()
  try {
    const client = await openTarget(target, signal).finally(() => writeConnectTime(writer, (performance.now() - startMs) / 1000))
    return await scrapeOver(scrape, client, true)
  } catch (error) {
    return { isUp: false, error: messageOf(error) }
  }
}

async function scrapeOver(scrape: TargetScrape, client: RedisClient, isNew: boolean): Promise<ScrapeResult> {
  const { target, steps, connections } = scrape
  let isUp = false
  try {
    await scrapeOpen(scrape, client, isNew, () => (isUp = true))
    // Steps that look at keys leave another database selected.
    if (keySteps.some((step) => steps.has(step))) client.close()
    else connections.give(target, client)
    return { isUp, error: '' }
  } catch (error) {
    client.close()
    return { isUp, error: messageOf(error) }
  }
}

function writeConnectTime(writer: TargetWriter, seconds: number): void {
  writer.gauge('exporter_last_scrape_connect_time_seconds', 'Seconds that connecting took; 0 where a connection was there.', seconds)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function scrapeOpen(scrape: TargetScrape, client: RedisClient, isNew: boolean, onUp: () => void): Promise<void> {
  const { target, writer, steps, commands, nowMs } = scrape
  const { settings } = target
  if (settings.pings) await ping(client, writer)
  // All on their way at once: one round trip.
  const asker = new Asker(scrape, client)
  if (isNew && settings.setsClientName) void client.call('CLIENT', 'SETNAME', 'redis_exporter')
  const info = client.call('INFO', 'ALL')
  const others = Promise.allSettled([
    asker.ask('config', settings.configCommand, 'GET', '*'),
    asker.ask('latency', 'LATENCY', 'LATEST'),
    settings.excludesHistograms ? undefined : asker.ask('latency', 'LATENCY', 'HISTOGRAM'),
    asker.ask('slowlog', 'SLOWLOG', 'LEN'),
    asker.ask('slowlog', 'SLOWLOG', 'GET', '1'),
  ])

  const text = await readInfo(client, await info)
  onUp()
  // From here on nothing waits: what came of a connection that breaks is written.
  const [config, spikes, histograms, slowlogLength, slowlogNewest] = await others
  const configReply = answerOf(config)
  const databases = configReply === undefined ? undefined : writeConfig(writer, configReply, settings)
  const isCluster = text.includes('\ncluster_enabled:1')
  const options = {
    databases: isCluster ? 1 : (databases ?? databasesDefault),
    includesEmptyDatabases: settings.includesEmptyDatabases,
    includesSystem: settings.includesSystem,
    nowMs: nowMs(),
    commands,
  }
  const summary = writeInfo(steps.has('info') ? writer : nowhere, text, options)
  writeWhenAnswered(spikes, (reply) => writeLatencySpikes(writer, reply))
  writeWhenAnswered(histograms, (reply) => writeLatencyHistograms(writer, reply, commands))
  writeWhenAnswered(slowlogLength, (length) => writeWhenAnswered(slowlogNewest, (newest) => writeSlowlog(writer, length, newest)))
  for (const answer of [config, spikes, histograms, slowlogLength, slowlogNewest]) if (answer.status === 'rejected') throw answer.reason

  await collectByRole(asker, summary, isCluster)
  if (steps.has('rdb') && configReply !== undefined) await orWarn(scrape, () => collectRdbSize(writer, configReply))
  await collectKeySpace(scrape, client, summary, isCluster ? 1 : (databases ?? databasesDefault))
  await collectOnDemand(scrape, client, asker)
}

/** What depends on the kind of server that INFO told of. */
async function collectByRole(asker: Asker, summary: InfoSummary, isCluster: boolean): Promise<void> {
  const { client, scrape } = asker
  const { writer, target, steps } = scrape
  const cluster = isCluster ? asker.ask('cluster', 'CLUSTER', 'INFO') : undefined
  const lengths = summary.isValkey ? commandlogKinds.map(({ kind }) => asker.ask('commandlog', 'COMMANDLOG', 'LEN', kind)) : []
  const limits = summary.isValkey ? asker.ask('commandlog', target.settings.configCommand, 'GET', 'commandlog-*') : undefined
  const report = new InfoReport(bytesOf(await cluster))
  while (report.nextField()) writeField(writer, infoFields.get(report.field) ?? otherField(report.field), readFieldNumber(report))
  if (lengths.length > 0)
    writeCommandlog(
      writer,
      (await Promise.all(lengths)).map((length) => length ?? null),
      (await limits) ?? null,
    )
  if (summary.isSentinel && steps.has('sentinel')) await collectSentinel(client, writer, target.settings)
}

/** What looks at keys, one after the other: each selects databases on the connection. */
async function collectKeySpace(scrape: TargetScrape, client: RedisClient, summary: InfoSummary, databases: number): Promise<void> {
  const { target, writer, steps, signal } = scrape
  const { settings } = target
  const warn = (message: string): void => warnOnce(scrape, message)
  const wantsKeys = ['check-keys', 'check-streams', 'count-keys'].some((step) => steps.has(step))
  const nodes =
    settings.isCluster && wantsKeys
      ? await ClusterNodes.discover(client, target.address.host, (address) => openNode(target, address, signal))
      : undefined
  const places: KeyPlaces = { client, nodes, batchSize: settings.batchSize, warn }
  const role = settings.appendsRole ? summary.role : undefined
  try {
    if (steps.has('check-keys') && !(settings.skipsKeysOnMaster && summary.role === 'master')) {
      await collectKeys(places, writer, { ...settings, role })
    }
    if (steps.has('check-streams')) await collectStreams(places, writer, settings)
    if (steps.has('count-keys')) await collectKeyCounts(places, writer, settings.countKeys, role)
  } finally {
    await nodes?.close()
  }
  const startMs = performance.now()
  if (steps.has('check-key-groups') && !summary.isSentinel) {
    const options = { patterns: settings.keyGroups, shownMax: settings.keyGroupsMax, databases, batchSize: settings.batchSize }
    await orWarn(scrape, () => collectKeyGroups(client, writer, options))
  }
  const milliseconds = steps.has('check-key-groups') ? Math.round(performance.now() - startMs) : 0
  writer.gauge('last_key_groups_scrape_duration_milliseconds', 'Milliseconds that the last look at key groups took.', milliseconds)
}

/** What only a flag switches on. */
async function collectOnDemand(scrape: TargetScrape, client: RedisClient, asker: Asker): Promise<void> {
  const { target, writer, steps, nowMs } = scrape
  const { settings } = target
  const clients = await asker.ask('client-list', 'CLIENT', 'LIST')
  if (clients !== undefined) writeClients(writer, clients, settings.exportsClientPorts, nowMs())
  writeModules(writer, bytesOf(await asker.ask('modules', 'INFO', 'MODULES')))
  const { searchIndexes } = settings
  if (steps.has('search_indexes') && searchIndexes !== undefined) {
    await orWarn(scrape, () => collectSearchIndexes(client, writer, searchIndexes))
  }
  if (steps.has('tile38')) {
    const reply = await client.call('SERVER', 'EXT')
    await orWarn(scrape, () => writeTile38(writer, reply))
  }
  if (steps.has('script')) await collectScripts(client, writer, settings, (message) => warnOnce(scrape, message))
}

/** Sends the commands of steps that are wanted and not known to be refused. */
class Asker {
  readonly scrape: TargetScrape
  readonly client: RedisClient

  constructor(scrape: TargetScrape, client: RedisClient) {
    this.scrape = scrape
    this.client = client
  }

  /** The answer; undefined if the command was not sent or refused. */
  ask(step: string, ...command: readonly string[]): Promise<RespValue | undefined> {
    const { steps, refusals, target } = this.scrape
    const name = command.slice(0, 2).join(' ')
    if (!steps.has(step) || command[0] === '' || refusals.isRefused(target.address.text, name)) return Promise.resolve(undefined)
    const answer = this.client.callText(...command).then((reply) => {
      if (!(reply instanceof RespError)) return reply
      // So is INFO, then, which tells it for all.
      if (reply.message.startsWith('NOAUTH')) return undefined
      // A lasting refusal is remembered as such, and its command not sent again for a while; any other only as having been told.
      if (refusals.remember(target.address.text, isLasting(reply.message) ? name : `${name}: ${reply.message}`)) {
        this.scrape.log.warn('a command was refused', { target: target.address.text, command: name, err: reply.message })
      }
      return undefined
    })
    answer.catch(() => undefined)
    return answer
  }
}

async function ping(client: RedisClient, writer: TargetWriter): Promise<void> {
  const startMs = performance.now()
  const failure = errorOf(await client.call('PING'))
  if (failure !== undefined) return
  writer.gauge('exporter_last_scrape_ping_time_seconds', 'Seconds that PING took.', (performance.now() - startMs) / 1000)
}

/** What INFO ALL answered, or INFO where a server does not know ALL. Throws the server's own words. */
async function readInfo(client: RedisClient, reply: RespValue): Promise<Buffer> {
  const text = bytesOf(reply)
  if (text.includes(':')) return text
  const plain = await client.call('INFO')
  const fallback = bytesOf(plain)
  if (fallback.includes(':')) return fallback
  const got = fallback.length === 0 ? 'nothing' : JSON.stringify(fallback.toString('utf8', 0, 32))
  throw new Error(errorOf(plain) ?? errorOf(reply) ?? `cannot read INFO: want lines of field:value, got ${got}`)
}

const nowhere = new TargetWriter({ family: () => undefined, sample: () => undefined }, new FamilyNames(''))

/** Undefined: not asked, refused, or the connection broke before. */
function answerOf(settled: PromiseSettledResult<RespValue | undefined>): RespValue | undefined {
  return settled.status === 'fulfilled' ? settled.value : undefined
}

function writeWhenAnswered(settled: PromiseSettledResult<RespValue | undefined>, write: (reply: RespValue) => void): void {
  const reply = answerOf(settled)
  if (reply !== undefined) write(reply)
}

async function orWarn(scrape: TargetScrape, work: () => void | Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isRefusal(error)) throw error
    warnOnce(scrape, error.message)
  }
}

function warnOnce({ target, refusals, log }: TargetScrape, message: string): void {
  if (refusals.remember(target.address.text, message)) log.warn(message, { target: target.address.text })
}
