import type { TargetShard } from '@narthex/agent/scrape/target-shard'
import { flag } from '@narthex/service/flag-spec'
import { UserError } from '@narthex/service/user-error'

/** More agents than this would share every cluster that there is. */
const shardsMax = 10_000

export const shardFlags = {
  shardCount: flag.integer('shard.count', 'Agents that share the targets: each scrapes its part of them.', 1, { group: 'Sharding:' }),
  shardIndex: flag.string('shard.index', 'Which of them this one is, from 0. Default: the number at the end of the host name.', {
    group: 'Sharding:',
    placeholder: '<N>',
  }),
}

/** Reads the flags; undefined if there is one agent. Throws UserError. */
export function readShard(
  values: { readonly shardCount: number; readonly shardIndex: string | undefined },
  hostName: string,
): TargetShard | undefined {
  const { shardCount: count, shardIndex: given } = values
  if (count < 1 || count > shardsMax) {
    throw new UserError(`narthex agent: cannot use --shard.count: want a number from 1 to ${shardsMax}, got ${count}`, 2)
  }
  if (count === 1 && given === undefined) return undefined
  // The name of a pod of a StatefulSet: agent-2.
  const text = given ?? /-(\d+)$/.exec(hostName.split('.')[0]!)?.[1]
  if (text === undefined) {
    const problem = `want --shard.index, or a host name that ends in -NUMBER, got host name ${JSON.stringify(hostName)}`
    throw new UserError(`narthex agent: cannot find the index of this shard: ${problem}`, 2)
  }
  const index = /^\d{1,6}$/.test(text) ? Number(text) : -1
  if (index < 0 || index >= count) {
    const source = given === undefined ? `host name ${JSON.stringify(hostName)}` : '--shard.index'
    throw new UserError(`narthex agent: cannot use ${source}: want a number from 0 to ${count - 1}, got ${text}`, 2)
  }
  return count === 1 ? undefined : { index, count }
}
