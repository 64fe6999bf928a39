import { getJson } from '../api-client.ts'
import { formatAgo } from '../format.ts'
import { usePolled } from '../use-polled.ts'
import { Facts } from './facts.tsx'

interface RuntimeInformation {
  readonly startTime: string
  readonly CWD: string
  readonly hostname: string
  readonly reloadConfigSuccess: boolean
  readonly lastConfigTime: string
  readonly warnings: readonly string[]
}

const get = async <Data,>(path: string, signal: AbortSignal) => (await getJson<Data>(`api/v1/status/${path}`, {}, signal)).data

/** The configuration in force, whether the last reload was taken, and what of it has no effect. */
export function AgentConfigPage() {
  const { value, error } = usePolled(
    async (signal) => {
      const [runtime, config] = await Promise.all([get<RuntimeInformation>('runtimeinfo', signal), get<{ yaml: string }>('config', signal)])
      return { runtime, config }
    },
    10_000,
    'config',
  )
  return (
    <>
      <h1>Config</h1>
      {error && <p class="error">{error}</p>}
      {value && !value.runtime.reloadConfigSuccess && (
        <p class="error">{`The last reload was refused: this is the configuration of ${formatAgo(value.runtime.lastConfigTime)}. The log says why.`}</p>
      )}
      {value?.runtime.warnings.map((warning) => (
        <p class="warning" key={warning}>
          {warning}
        </p>
      ))}
      {value && (
        <section class="panel">
          <h2>
            Configuration <span class="note">{`loaded ${formatAgo(value.runtime.lastConfigTime)}`}</span>
          </h2>
          <pre>{value.config.yaml}</pre>
        </section>
      )}
    </>
  )
}

/** Flags, build and run time. */
export function AgentFlagsPage() {
  const { value, error } = usePolled(
    async (signal) => {
      const [runtime, flags, build] = await Promise.all([
        get<RuntimeInformation>('runtimeinfo', signal),
        get<Record<string, string>>('flags', signal),
        get<Record<string, string>>('buildinfo', signal),
      ])
      return { runtime, flags, build }
    },
    15_000,
    'flags',
  )
  return (
    <>
      <h1>Flags</h1>
      {error && <p class="error">{error}</p>}
      {value && (
        <div class="grid">
          <Facts title="Flags" facts={value.flags} />
          <Facts title="Build" facts={value.build} />
          <Facts
            title="Run time"
            facts={{ started: formatAgo(value.runtime.startTime), directory: value.runtime.CWD, host: value.runtime.hostname }}
          />
        </div>
      )}
    </>
  )
}
