import { useState } from 'preact/hooks'
import { getJson } from '../api-client.ts'
import { formatAgo, formatSeconds } from '../format.ts'
import { usePolled } from '../use-polled.ts'
import { LabelList } from './label-list.tsx'
import { RelabelSteps } from './relabel-steps.tsx'

interface ActiveTarget {
  readonly discoveredLabels: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly scrapePool: string
  readonly scrapeUrl: string
  readonly lastError: string
  readonly lastScrape: string
  readonly lastScrapeDuration: number
  readonly health: 'up' | 'down' | 'unknown'
  readonly scrapeInterval: string
}

interface TargetsData {
  readonly activeTargets: readonly ActiveTarget[]
  readonly droppedTargets: readonly { readonly discoveredLabels: Readonly<Record<string, string>>; readonly scrapePool?: string }[]
  readonly otherShardTargetCounts?: Readonly<Record<string, number>>
}

/** Every target by scrape pool: its health, why it is down, when and how long it was scraped. */
export function TargetsPage() {
  const { value, error } = usePolled(async (signal) => (await getJson<TargetsData>('api/v1/targets', {}, signal)).data, 5_000, 'targets')
  const [filter, setFilter] = useState('')
  const [onlyDown, setOnlyDown] = useState(false)
  const shown = (value?.activeTargets ?? []).filter((target) => {
    if (onlyDown && target.health !== 'down') return false
    return filter === '' || JSON.stringify([target.labels, target.scrapeUrl, target.lastError]).toLowerCase().includes(filter.toLowerCase())
  })
  const pools = Map.groupBy(shown, (target) => target.scrapePool)
  return (
    <>
      <div class="toolbar">
        <h1>Targets</h1>
        <input placeholder="Filter by label, address or error" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <label>
          <input type="checkbox" checked={onlyDown} onChange={(event) => setOnlyDown(event.currentTarget.checked)} /> only what is down
        </label>
      </div>
      {error && <p class="error">{error}</p>}
      {[...pools].map(([pool, targets]) => (
        <section class="panel" key={pool}>
          <h2>
            {pool}
            <span class="note">{`${targets.filter((target) => target.health === 'up').length} of ${targets.length} up`}</span>
          </h2>
          <table>
            <thead>
              <tr>
                <th>Endpoint</th>
                <th>Labels</th>
                <th>Last scrape</th>
                <th>State</th>
              </tr>
            </thead>
            <tbody>
              {targets.map((target) => (
                <TargetRow key={target.scrapeUrl + JSON.stringify(target.labels)} target={target} />
              ))}
            </tbody>
          </table>
        </section>
      ))}
      {value && value.activeTargets.length === 0 && <p class="note">No target is configured.</p>}
      {value?.otherShardTargetCounts && (
        <p class="note">{`${sum(Object.values(value.otherShardTargetCounts))} targets are scraped by the agents of other shards.`}</p>
      )}
      {value && value.droppedTargets.length > 0 && (
        <details>
          <summary>{`${value.droppedTargets.length} targets dropped by relabelling`}</summary>
          {value.droppedTargets.map((target, index) => (
            <p key={index}>
              <LabelList labels={target.discoveredLabels} />
            </p>
          ))}
        </details>
      )}
    </>
  )
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function TargetRow({ target }: { target: ActiveTarget }) {
  return (
    <tr>
      <td class="metric">{target.scrapeUrl}</td>
      <td>
        <LabelList labels={target.labels} />
        <RelabelSteps scrapePool={target.scrapePool} discovered={target.discoveredLabels} />
      </td>
      <td>
        {formatAgo(target.lastScrape)}
        <br />
        <span class="note">{`took ${formatSeconds(target.lastScrapeDuration)}, every ${target.scrapeInterval}`}</span>
      </td>
      <td>
        <span class={`badge ${target.health}`}>{target.health}</span>
        {target.lastError !== '' && <p class="error">{target.lastError}</p>}
      </td>
    </tr>
  )
}
