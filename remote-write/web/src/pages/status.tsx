import { getJson } from '../api-client.ts'
import { usePolled } from '../use-polled.ts'
import { Facts } from './facts.tsx'
import { Limits, type LimitsView } from './limits.tsx'

interface HeadStatus {
  readonly headStats: Readonly<Record<string, number>>
  readonly seriesCountByMetricName: readonly { readonly name: string; readonly value: number }[]
  readonly labelValueCountByLabelName: readonly { readonly name: string; readonly value: number }[]
}

/** Build, run time, head statistics, flags and the effective configuration. */
export function StatusPage() {
  const { value, error } = usePolled(
    async (signal) => {
      const get = async <Data,>(path: string) => (await getJson<Data>(`api/v1/status/${path}`, {}, signal)).data
      const [build, runtime, flags, config, head, limits] = await Promise.all([
        get<Record<string, string>>('buildinfo'),
        get<Record<string, unknown>>('runtimeinfo'),
        get<Record<string, string>>('flags'),
        get<{ yaml: string }>('config'),
        get<HeadStatus>('tsdb'),
        getJson<LimitsView>('api/v1/narthex/limits', {}, signal).then(({ data }) => data),
      ])
      return { build, runtime, flags, config, head, limits }
    },
    15_000,
    'status',
  )
  return (
    <>
      <h1>Status</h1>
      {error && <p class="error">{error}</p>}
      {value && (
        <div class="grid">
          <Facts title="Run time" facts={value.runtime} />
          <Limits limits={value.limits} />
          <Facts title="Build" facts={value.build} />
          <Facts title="Head" facts={value.head.headStats} />
          <Facts title="Series by metric" facts={toFacts(value.head.seriesCountByMetricName)} />
          <Facts title="Values by label" facts={toFacts(value.head.labelValueCountByLabelName)} />
          <section class="panel">
            <h2>Configuration</h2>
            <pre>{value.config.yaml}</pre>
          </section>
          <Facts title="Flags" facts={value.flags} />
        </div>
      )}
    </>
  )
}

function toFacts(entries: readonly { readonly name: string; readonly value: number }[]): Record<string, number> {
  return Object.fromEntries(entries.map(({ name, value }) => [name, value]))
}
