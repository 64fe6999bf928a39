import { collectDefaultMetrics, Registry as PromClientRegistry } from 'prom-client'
import registerMemory from 'prom-client/lib/metrics/osMemoryHeap.js'
import registerCpu from 'prom-client/lib/metrics/processCpuTotal.js'
import registerMaxFds from 'prom-client/lib/metrics/processMaxFileDescriptors.js'
import registerOpenFds from 'prom-client/lib/metrics/processOpenFileDescriptors.js'
import registerStartTime from 'prom-client/lib/metrics/processStartTime.js'
import type { Registry } from './metrics.ts'

/** Go's client does not have these of prom-client's. */
const left: readonly string[] = ['process_cpu_user_seconds_total', 'process_cpu_system_seconds_total', 'process_heap_bytes']

interface CollectedMetric {
  readonly name: string
  readonly help: string
  readonly isCounter: boolean
  readonly values: readonly { readonly value: number; readonly labels: readonly string[] }[]
}

/**
 * Registers the metrics of this process under the names of Go's client, collected by prom-client; with `runtime` all of prom-client's
 * default metrics. Fresh after `registry.prepare()`.
 */
export function processMetrics(registry: Registry, options: { readonly runtime?: boolean } = {}): void {
  const source = new PromClientRegistry()
  if (options.runtime === true) {
    collectDefaultMetrics({ register: source })
  } else {
    for (const register of [registerCpu, registerMemory, registerOpenFds, registerMaxFds, registerStartTime]) register(source)
  }
  let latest: readonly CollectedMetric[] = []

  async function collect(): Promise<void> {
    const metrics = await source.getMetricsAsJSON()
    latest = metrics
      .filter(({ name }) => options.runtime === true || !left.includes(name))
      .map(({ name, help, type, values }) => ({
        name,
        help,
        isCounter: String(type) === 'counter',
        values: values.map(({ value, labels }) => ({
          value,
          labels: Object.entries(labels).flatMap(([key, text]) => [key, String(text)]),
        })),
      }))
  }

  registry.onPrepare(collect)
  registry.onWrite((writer) => {
    for (const { name, help, isCounter, values } of latest) {
      writer.family(name, help, isCounter ? 'counter' : 'gauge')
      for (const { value, labels } of values) writer.sample(value, labels)
    }
  })
}
