import { getJson } from '../api-client.ts'
import { usePolled } from '../use-polled.ts'
import { LabelList } from './label-list.tsx'
import { RelabelSteps } from './relabel-steps.tsx'

interface Found {
  readonly discoveredLabels: Readonly<Record<string, string>>
  readonly scrapePool: string
}

interface TargetsData {
  readonly activeTargets: readonly Found[]
  readonly droppedTargets: readonly Found[]
  readonly droppedTargetCounts: Readonly<Record<string, number>>
  readonly otherShardTargetCounts?: Readonly<Record<string, number>>
}

/** What discovery found for each job: how much of it is scraped, and what relabelling dropped, with the rule that did. */
export function ServiceDiscoveryPage() {
  const { value, error } = usePolled(async (signal) => (await getJson<TargetsData>('api/v1/targets', {}, signal)).data, 10_000, 'discovery')
  const { activeTargets = [], droppedTargets = [], droppedTargetCounts = {}, otherShardTargetCounts = {} } = value ?? {}
  const active = Map.groupBy(activeTargets, ({ scrapePool }) => scrapePool)
  const dropped = Map.groupBy(droppedTargets, ({ scrapePool }) => scrapePool)
  const pools = [...new Set([...active.keys(), ...Object.keys(droppedTargetCounts), ...Object.keys(otherShardTargetCounts)])].sort()
  return (
    <>
      <h1>Service discovery</h1>
      {error && <p class="error">{error}</p>}
      {pools.map((pool) => {
        const kept = dropped.get(pool) ?? []
        const count = droppedTargetCounts[pool] ?? 0
        const others = otherShardTargetCounts[pool] ?? 0
        return (
          <section class="panel" key={pool} data-pool={pool}>
            <h2>
              {pool}
              <span class="note">
                {`${active.get(pool)?.length ?? 0} scraped, ${count} dropped by relabelling${others > 0 ? `, ${others} of other shards` : ''}`}
              </span>
            </h2>
            {kept.map(({ discoveredLabels }, index) => (
              <div key={index}>
                <LabelList labels={discoveredLabels} />
                <RelabelSteps scrapePool={pool} discovered={discoveredLabels} />
              </div>
            ))}
            {kept.length < count && <p class="note">{`${count - kept.length} more are not kept (keep_dropped_targets).`}</p>}
          </section>
        )
      })}
      {value && pools.length === 0 && <p class="note">No job is configured.</p>}
    </>
  )
}
