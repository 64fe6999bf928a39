import { LoadSource } from './load-source.ts'
import { describeMachine } from './measure.ts'
import { askInTurns, countDifferences, geometricMean, printQuestions, type ByContender, type QuestionFigures } from './query-turns.ts'
import { sendLoad } from './send-load.ts'
import type { BenchServer } from './server-contenders.ts'
import { eachKeptServer, ratio, readStorageArguments, type ContenderKey } from './storage-bench.ts'
import { waitUntilCompacted } from './wait-until-compacted.ts'
import { waitUntilIdle } from './wait-until-idle.ts'

// Range queries of dashboards over 5,000 series × 6 hours at 15 s, in steps of a minute. Each is asked once of processes that have started not long ago,
// for the time of the first answer and the memory that it takes; then seven times by turns of all programs, of which the best counts.

const stepMs = 15_000
const samplesPerRequest = 2_000
const queryStepSeconds = 60
const rounds = 7
/** Samples lie between the ends of all windows: 2.42 counts one that lies on the left end, 3.x does not. */
const offsetMs = 7_000
/** Samples begin before the first window: at the begin of a series 2.42 extrapolates otherwise than 3.x. */
const beforeMs = 10 * 60_000

const queries = [
  'sum by (job) (rate(http_requests_total[5m]))',
  'sum by (namespace,code) (rate({__name__=~".+"}[5m]))',
  'node_cpu_seconds_total',
  'topk(5, rate(node_network_receive_bytes_total[5m]))',
  'max_over_time(process_resident_memory_bytes[1h])',
  'quantile by (zone) (0.9, process_resident_memory_bytes)',
  'http_requests_total / ignoring(code) group_left http_requests_total',
]

export async function benchQuery(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds, keys } = readStorageArguments(args, ['narthex', 'prometheus', 'victoria'])
  const seriesCount = isSmoke ? 500 : 5_000
  const hours = isSmoke ? 1 : 6
  const steps = (hours * 3600_000 + beforeMs) / stepMs
  const endMs = Math.floor(Date.now() / 60_000) * 60_000
  const beginMs = endMs - hours * 3600_000
  const firstMs = beginMs - beforeMs + offsetMs
  const range = { start: String(beginMs / 1000), end: String(endMs / 1000), step: String(queryStepSeconds) }
  const questions = queries.map((query) => ({
    name: query,
    path: '/api/v1/query_range',
    form: { query, ...range },
    isTied: query.startsWith('topk'),
  }))
  console.log(describeMachine())
  console.log(
    `query: ${seriesCount} series × ${hours} h at ${stepMs / 1000} s, range ${hours} h, step ${queryStepSeconds} s; best of ${rounds}\n`,
  )
  const servers: ByContender<BenchServer> = {}
  let figures: ByContender<QuestionFigures>[] = []
  await eachKeptServer(
    keys,
    async (server, key) => {
      servers[key] = server
      const options = { seriesCount, samplesPerRequest, startMs: firstMs - stepMs, stepMs }
      const source = await LoadSource.start({ kind: 'queried', options, steps })
      try {
        await sendLoad(source, server, { connections: 2 })
        if (key !== 'victoria') await waitUntilCompacted(server, firstMs, endMs + offsetMs - stepMs)
        await waitUntilIdle(server.pid)
      } finally {
        await source.stop()
      }
    },
    async () => {
      figures = await askInTurns(servers, questions, rounds)
    },
  )
  printQuestions(questions, figures)
  if (servers.narthex === undefined) return true
  for (const [i, { name }] of questions.entries()) {
    const { narthex, prometheus } = figures[i]!
    bounds.atMost(`${name} / Prometheus`, ratio(narthex?.bestSeconds, prometheus?.bestSeconds), 0.5, '×')
  }
  const best = ({ bestSeconds }: QuestionFigures): number => bestSeconds
  const first = ({ firstSeconds }: QuestionFigures): number => firstSeconds
  bounds.atMost('geometric mean / Prometheus', geometricMean(figures, 'prometheus', best), 0.25, '×')
  bounds.atMost('geometric mean / VictoriaMetrics', geometricMean(figures, 'victoria', best), 1, '×')
  bounds.atMost('geometric mean of first answers / Prometheus', geometricMean(figures, 'prometheus', first), 0.5, '×')
  bounds.atMost(
    'memory of the greatest query / Prometheus',
    ratio(mostGrowth(figures, 'narthex'), mostGrowth(figures, 'prometheus')),
    0.5,
    '×',
  )
  bounds.atMost('answers that differ from Prometheus', countDifferences(questions, figures), 0, '')
  return bounds.print()
}

function mostGrowth(figures: readonly ByContender<QuestionFigures>[], key: ContenderKey): number | undefined {
  const growths = figures.flatMap(({ [key]: of }) => (of === undefined ? [] : [of.firstGrowthBytes]))
  return growths.length === 0 ? undefined : Math.max(...growths)
}
