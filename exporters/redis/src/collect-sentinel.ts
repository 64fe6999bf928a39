import { parseGoFloat } from '@narthex/model/number'
import type { RedisClient } from './redis-client.ts'
import type { RespValue } from './resp-reader.ts'
import { errorOf, fieldsOf, itemsOf, textOf } from './resp-value.ts'
import type { RedisSettings } from './settings.ts'
import { writeSorted, type Row, type TargetWriter } from './target-writer.ts'

/** Masters looked at; each costs three commands. */
export const mastersMax = 1_000

/** Settings of a sentinel that hold secrets. */
const secretKeys: ReadonlySet<string> = new Set(['sentinel-pass', 'requirepass'])

const masterFields: readonly (readonly [field: string, family: string, help: string, divisor: number])[] = [
  ['config-epoch', 'sentinel_master_config_epoch', 'Configuration epoch of a master.', 1],
  ['last-ok-ping-reply', 'sentinel_master_last_ok_ping_reply_seconds', 'Seconds since a master last answered a ping.', 1000],
  ['quorum', 'sentinel_master_setting_ckquorum', 'Sentinels that must agree that a master is down.', 1],
  ['down-after-milliseconds', 'sentinel_master_setting_down_after_milliseconds', 'Silence after which a master counts as down.', 1],
  ['failover-timeout', 'sentinel_master_setting_failover_timeout', 'Milliseconds that a failover may take.', 1],
  ['parallel-syncs', 'sentinel_master_setting_parallel_syncs', 'Replicas that follow a new master at a time.', 1],
]

/** Asks a sentinel for its masters, and of each for replicas, other sentinels and quorum. */
export async function collectSentinel(
  client: RedisClient,
  writer: TargetWriter,
  { redactsConfig, includesSentinelPeers }: Pick<RedisSettings, 'redactsConfig' | 'includesSentinelPeers'>,
): Promise<void> {
  const [mastersReply, config] = await Promise.all([client.call('SENTINEL', 'MASTERS'), client.call('SENTINEL', 'CONFIG', 'GET', '*')])
  writeSentinelConfig(writer, config, redactsConfig)
  const masters = itemsOf(mastersReply)
    .slice(0, mastersMax)
    .map((master) => fieldsOf(master))
  const details = await Promise.all(
    masters.map(async (master) => {
      const name = textOf(master.get('name')) ?? ''
      const [sentinels, slaves, quorum] = await Promise.all(
        ['SENTINELS', 'SLAVES', 'CKQUORUM'].map((subcommand) => client.call('SENTINEL', subcommand, name)),
      )
      const address = `${textOf(master.get('ip')) ?? ''}:${textOf(master.get('port')) ?? ''}`
      return { labels: ['master_address', address, 'master_name', name], name, master, sentinels, slaves, quorum }
    }),
  )
  for (const [field, family, help, divisor] of masterFields) {
    const rows: Row[] = []
    for (const { labels, master } of details) {
      const value = parseGoFloat(textOf(master.get(field)) ?? '')
      if (value !== undefined) rows.push({ labels, value: value / divisor })
    }
    writeSorted(writer, family, help, 'gauge', rows)
  }
  // The sentinel that answers does not list itself.
  const sentinels = details.map(({ labels, sentinels: peers }) => ({ labels, value: 1 + countAlive(peers) }))
  writeSorted(writer, 'sentinel_master_ok_sentinels', 'Sentinels of a master that are up.', 'gauge', sentinels)
  const slaves = details.map(({ labels, slaves: replicas }) => ({ labels, value: countAlive(replicas) }))
  writeSorted(writer, 'sentinel_master_ok_slaves', 'Replicas of a master that are up.', 'gauge', slaves)
  const quorums = details.map(({ name, quorum }): Row => {
    const failure = errorOf(quorum)
    return { labels: ['master_name', name, 'message', failure ?? textOf(quorum) ?? ''], value: failure === undefined ? 1 : 0 }
  })
  writeSorted(writer, 'sentinel_master_ckquorum_status', 'Whether a master has its quorum (1), with the answer.', 'gauge', quorums)
  if (includesSentinelPeers) writePeers(writer, details)
}

function countAlive(reply: RespValue | undefined): number {
  let count = 0
  for (const peer of itemsOf(reply)) {
    const flags = textOf(fieldsOf(peer).get('flags')) ?? ''
    if (!flags.includes('o_down') && !flags.includes('s_down')) count++
  }
  return count
}

interface MasterDetails {
  readonly labels: readonly string[]
  readonly sentinels: RespValue | undefined
}

function writePeers(writer: TargetWriter, details: readonly MasterDetails[]): void {
  const rows: Row[] = []
  for (const { labels, sentinels } of details) {
    for (const peer of itemsOf(sentinels)) {
      const fields = fieldsOf(peer)
      const read = (name: string): string => textOf(fields.get(name)) ?? ''
      const own = ['flags', read('flags'), 'ip', read('ip')]
      rows.push({ labels: [...own, ...labels, 'name', read('name'), 'port', read('port'), 'runid', read('runid')], value: 1 })
    }
  }
  writeSorted(writer, 'sentinel_peer_info', 'Other sentinels of a master as labels.', 'gauge', rows)
}

function writeSentinelConfig(writer: TargetWriter, reply: RespValue, redacts: boolean): void {
  const texts: Row[] = []
  const numbers: Row[] = []
  for (const [key, raw] of fieldsOf(reply)) {
    const value = textOf(raw)
    if (value === undefined || (redacts && secretKeys.has(key))) continue
    const number = parseGoFloat(value)
    texts.push({ labels: ['key', key, 'value', value], value: 1 })
    if (number !== undefined) numbers.push({ labels: ['key', key], value: number })
  }
  writeSorted(writer, 'sentinel_config_key_value', 'Settings of the sentinel as labels.', 'gauge', texts)
  writeSorted(writer, 'sentinel_config_value', 'Settings of the sentinel that are numbers.', 'gauge', numbers)
}
