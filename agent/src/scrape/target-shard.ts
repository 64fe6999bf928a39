import type { Labels } from '@narthex/model/labels'
import { hashModulo } from '@narthex/relabel/relabel'

/** Which part of the targets this agent scrapes: `--shard.index` of `--shard.count`. */
export interface TargetShard {
  /** From 0. */
  readonly index: number
  readonly count: number
}

const sources = ['__address__', '__metrics_path__', '__param_target']

/**
 * Whether a target is of this shard, by its labels after relabelling: as `action: hashmod` does with the source labels `__address__`,
 * `__metrics_path__` and `__param_target`, so that Prometheus servers can share the work. A `__tmp_hash` that relabelling made is used instead
 * of the three: what has the same is scraped by the same agent.
 */
export function isOfShard(labels: Labels, { index, count }: TargetShard): boolean {
  const chosen = labels.get('__tmp_hash')
  const source = chosen === '' ? sources.map((name) => labels.get(name)).join(';') : chosen
  return hashModulo(source, count) === String(index)
}

/** Whether local discovery found the target: on this machine, where no other agent looks. */
export function isOfThisMachine(discovered: Labels): boolean {
  const { pairs } = discovered
  for (let i = 0; i < pairs.length; i += 2) if (pairs[i]!.startsWith('__meta_local_')) return true
  return false
}
