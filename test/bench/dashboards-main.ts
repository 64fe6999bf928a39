// dashboards-main.ts URL DASHBOARDS END-MS SPEED: a process of its own. So many dashboards of six graphs each refresh every five seconds, all
// graphs of one at once, as a browser does; their time goes on from END-MS at SPEED times the clock. Prints `ready 0`; told `count`:
// `queries N failed N empty N p50Ms N p99Ms N`.

const [url, dashboards, endMs, speed] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4]), Number(process.argv[5])]
const refreshMs = 5_000
const hourSeconds = 3600

/** The last hour of a service, and one graph of six hours: it reads blocks. */
const graphs = [
  { seconds: hourSeconds, step: 60, query: (n: number) => `sum by (job) (rate(app_http_requests_total_${metric(n)}[5m]))` },
  { seconds: hourSeconds, step: 60, query: (n: number) => `sum by (namespace) (rate(app_http_requests_total_${metric(n + 1)}[5m]))` },
  { seconds: hourSeconds, step: 60, query: (n: number) => `topk(5, sum by (pod) (rate(app_http_requests_total_${metric(n + 2)}[5m])))` },
  { seconds: hourSeconds, step: 60, query: (n: number) => `avg by (cluster) (app_worker_queue_depth_${queue(n)})` },
  { seconds: hourSeconds, step: 60, query: (n: number) => `max by (node) (max_over_time(app_worker_queue_depth_${queue(n)}[5m]))` },
  { seconds: 6 * hourSeconds, step: 300, query: (n: number) => `sum(rate(app_http_requests_total_${metric(n)}[10m]))` },
]

// Of ten metrics the first three are gauges.
const metric = (n: number): string => String((n % 20) * 10 + 3 + (n % 7)).padStart(3, '0')
const queue = (n: number): string => String((n % 20) * 10 + (n % 3)).padStart(3, '0')

const beginMs = performance.now()
let elapsedMs: number[] = []
let failed = 0
let empty = 0

async function ask(query: string, seconds: number, step: number): Promise<void> {
  const end = (endMs + (performance.now() - beginMs) * speed) / 1000
  const begunMs = performance.now()
  const form = new URLSearchParams({ query, start: String(end - seconds), end: String(end), step: String(step) })
  try {
    const response = await fetch(`${url}/api/v1/query_range`, { method: 'POST', body: form })
    const answer = (await response.json()) as { status: string; data?: { result: unknown[] } }
    if (answer.status !== 'success') failed++
    else if (answer.data?.result.length === 0) empty++
  } catch {
    failed++
  }
  elapsedMs.push(performance.now() - begunMs)
}

for (let dashboard = 0; dashboard < dashboards; dashboard++) {
  let isLoading = false
  const refresh = async (): Promise<void> => {
    // A dashboard that still loads is not refreshed, as in Grafana.
    if (isLoading) return
    isLoading = true
    await Promise.all(graphs.map(({ query, seconds, step }, i) => ask(query(dashboard * 3 + i), seconds, step)))
    isLoading = false
  }
  setTimeout(
    () => {
      void refresh()
      setInterval(() => void refresh(), refreshMs)
    },
    (dashboard * refreshMs) / dashboards,
  )
}

console.log('ready 0')
process.stdin.on('data', () => {
  const sorted = elapsedMs.toSorted((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1)
  console.log(`queries ${elapsedMs.length} failed ${failed} empty ${empty} p50Ms ${at(0.5)} p99Ms ${at(0.99)}`)
  elapsedMs = []
})
process.stdin.on('end', () => process.exit(0))
