import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { InProcessTargets } from '@narthex/agent/scrape/in-process'
import { ScrapeManager } from '@narthex/agent/scrape/scrape-manager'
import { systemClock } from '@narthex/agent/clock'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { describeMachine } from './measure.ts'

// 10,000 discovered targets with Kubernetes' labels and the usual relabelling; 1,000 of them change at once. How long until they are
// relabelled and their loops run, and for how long the event loop stands still meanwhile.

const targetCount = 10_000
const changedCount = 1_000
const want = { appliedMs: 1000, blockedMs: 100 }

const config = `
global: {scrape_interval: 1h}
scrape_configs:
  - job_name: pods
    relabel_configs:
      - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
        action: keep
        regex: true
      - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path]
        action: replace
        target_label: __metrics_path__
        regex: (.+)
      - source_labels: [__address__, __meta_kubernetes_pod_annotation_prometheus_io_port]
        action: replace
        regex: ([^:]+)(?::\\d+)?;(\\d+)
        replacement: $1:$2
        target_label: __address__
      - action: labelmap
        regex: __meta_kubernetes_pod_label_(.+)
      - source_labels: [__meta_kubernetes_namespace]
        target_label: namespace
      - source_labels: [__meta_kubernetes_pod_name]
        target_label: pod
`

function makeGroup(i: number, version: number) {
  return {
    source: `pod/default/app-${i}`,
    targets: [
      {
        __address__: `127.3.${Math.floor(i / 250)}.${(i % 250) + 1}:8080`,
        __meta_kubernetes_pod_container_name: 'app',
        __meta_kubernetes_pod_container_port_number: '8080',
      },
    ],
    labels: {
      __meta_kubernetes_namespace: `namespace-${i % 40}`,
      __meta_kubernetes_pod_name: `app-${i}`,
      __meta_kubernetes_pod_node_name: `node-${i % 200}`,
      __meta_kubernetes_pod_annotation_prometheus_io_scrape: 'true',
      __meta_kubernetes_pod_annotation_prometheus_io_port: '8080',
      __meta_kubernetes_pod_annotation_prometheus_io_path: '/metrics',
      __meta_kubernetes_pod_label_app: `app-${i % 300}`,
      __meta_kubernetes_pod_label_version: `v${version}`,
      __meta_kubernetes_pod_labelpresent_app: 'true',
      __meta_kubernetes_pod_phase: 'Running',
      __meta_kubernetes_pod_ready: 'true',
    },
  }
}

export async function benchDiscovery(): Promise<boolean> {
  console.log(`${describeMachine()}\n`)
  const parsed = parsePrometheusConfig(config, { path: 'bench.yml', mode: 'agent' })
  const manager = new ScrapeManager({
    sink: { append: () => undefined },
    log: createLogger({ level: 'error' }),
    registry: new Registry(),
    clock: systemClock,
    inProcess: new InProcessTargets(),
    userAgent: 'bench',
  })
  manager.apply(parsed.scrapeConfigs, parsed.global.externalLabels)
  const groups = Array.from({ length: targetCount }, (_, i) => makeGroup(i, 1))
  const first = await timed(
    () => manager.setGroups(new Map([['pods', groups]])),
    () => manager.isSynced,
  )
  const rounds: { appliedMs: number; blockedMs: number }[] = []
  for (let round = 0; round < 7; round++) {
    for (let i = 0; i < changedCount; i++) {
      const at = (round * changedCount + i * 7) % targetCount
      groups[at] = makeGroup(at, 2 + round)
    }
    rounds.push(
      await timed(
        () => manager.setGroups(new Map([['pods', groups.slice()]])),
        () => manager.isSynced,
      ),
    )
  }
  const { active } = manager.targets()
  await manager.stop()
  if (active.length !== targetCount) throw new Error(`cannot bench discovery: want ${targetCount} targets, got ${active.length}`)
  const appliedMs = Math.max(...rounds.map((round) => round.appliedMs))
  const blockedMs = Math.max(...rounds.map((round) => round.blockedMs))
  console.log(`first ${targetCount} targets: ${first.appliedMs.toFixed(0)} ms`)
  const reached = (ok: boolean): string => (ok ? 'reached' : 'MISSED ')
  console.log(
    `${reached(appliedMs <= want.appliedMs)}  ${changedCount} of ${targetCount} changed: applied within ${appliedMs.toFixed(0)} ms (want ≤ ${want.appliedMs} ms)`,
  )
  console.log(
    `${reached(blockedMs <= want.blockedMs)}  scraping held up for at most ${blockedMs.toFixed(0)} ms (want ≤ ${want.blockedMs} ms)`,
  )
  return appliedMs <= want.appliedMs && blockedMs <= want.blockedMs
}

/** Runs an update until everything is applied, and looks every millisecond whether the event loop turns. */
async function timed(update: () => void, isSynced: () => boolean): Promise<{ appliedMs: number; blockedMs: number }> {
  let last = performance.now()
  let blockedMs = 0
  const timer = setInterval(() => {
    const now = performance.now()
    blockedMs = Math.max(blockedMs, now - last - 1)
    last = now
  }, 1)
  await new Promise((resolve) => setTimeout(resolve, 20))
  blockedMs = 0
  const started = performance.now()
  update()
  while (!isSynced()) await new Promise((resolve) => setImmediate(resolve))
  const appliedMs = performance.now() - started
  await new Promise((resolve) => setTimeout(resolve, 20))
  clearInterval(timer)
  return { appliedMs, blockedMs: Math.max(blockedMs, 0) }
}
