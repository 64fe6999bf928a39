import { makeTemporaryDirectory } from '../kit/process.ts'
import { writeLongBlocks } from './long-blocks.ts'
import { describeMachine } from './measure.ts'
import { sendQueriedLoad } from './query-load.ts'
import { askWhenStarted, boundEach, countDifferences, printQuestions, type ByContender, type QuestionFigures } from './query-turns.ts'
import type { BenchServer } from './server-contenders.ts'
import { eachKeptServer, readStorageArguments, type ContenderKey } from './storage-bench.ts'

// A month of 500 series a sample a minute, in blocks that ours and Prometheus get as copies of the same files; VictoriaMetrics gets the samples by remote
// write. Each question is the very first of a process: of one that became ready a few seconds before, and of one that has just done so. The system's page
// cache is warm for all: the files were written a short while ago.

const stepMs = 60_000
const rounds = 7
const restMs = 5_000
const samplesPerRequest = 2_000
const queryStepSeconds = 3600
const dayMs = 24 * 3600_000
/** As long as the blocks that both programs make with a retention of 60 days: they leave these as they are. */
const blockRangeMs = 54 * 3600_000
const retentionFlag = '--storage.tsdb.retention.time=60d'
/** Samples lie between the ends of all windows: 2.42 counts one that lies on the left end, 3.x does not. */
const offsetMs = 7_000

const rangeQueries = [
  'sum by (job) (rate(http_requests_total[1h]))',
  'process_resident_memory_bytes',
  'max by (zone) (max_over_time(node_load1[1h]))',
  'sum by (namespace,code) (rate({__name__=~".+"}[1h]))',
  'sum by (namespace) (rate({__name__=~".+_total"}[1h]))',
  'rate(node_cpu_seconds_total{instance="host-7.example.internal:9100"}[1h])',
]

export async function benchQueryCold(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds, keys } = readStorageArguments(args, ['narthex', 'prometheus', 'victoria'])
  const seriesCount = isSmoke ? 100 : 500
  const days = isSmoke ? 2 : 30
  const blocks = Math.ceil((days * dayMs) / blockRangeMs)
  const endMs = Math.floor(Date.now() / blockRangeMs) * blockRangeMs
  const options = { seriesCount, samplesPerRequest, startMs: endMs - blocks * blockRangeMs + offsetMs - stepMs, stepMs }
  const spec = { kind: 'queried' as const, options, steps: (blocks * blockRangeMs) / stepMs }
  const range = { start: String((endMs - days * dayMs) / 1000), end: String(endMs / 1000), step: String(queryStepSeconds) }
  const total = `sum(increase(http_requests_total[${days}d]))`
  const questions = [
    ...rangeQueries.map((query) => ({ name: query, path: '/api/v1/query_range', form: { query, ...range } })),
    { name: total, path: '/api/v1/query', form: { query: total, time: String(endMs / 1000) } },
  ]
  console.log(describeMachine())
  console.log(
    `query-cold: ${seriesCount} series × ${days} d at ${stepMs / 1000} s in blocks of 54 h, step ${queryStepSeconds} s; each the first of its process, page cache warm, best of ${rounds}\n`,
  )
  const temporary = makeTemporaryDirectory('narthex-bench-')
  const servers: ByContender<BenchServer> = {}
  let rested: ByContender<QuestionFigures>[] = []
  let atOnce: ByContender<QuestionFigures>[] = []
  try {
    await writeLongBlocks(temporary.path, spec, blockRangeMs)
    await eachKeptServer(
      keys,
      async (server, key) => {
        servers[key] = server
        if (key === 'victoria') await sendQueriedLoad(server, key, spec)
      },
      async () => {
        rested = await askWhenStarted(servers, questions, rounds, restMs)
        atOnce = await askWhenStarted(servers, questions, rounds, 0)
      },
      (key: ContenderKey) => (key === 'victoria' ? {} : { data: temporary.path, flags: [retentionFlag] }),
    )
  } finally {
    temporary.remove()
  }
  const notes = [`, ${restMs / 1000} s after the start`, ', at the start'] as const
  for (const [i, figures] of [rested, atOnce].entries()) {
    console.log(`\nThe first question${notes[i]}:\n`)
    printQuestions(questions, figures)
  }
  if (!keys.includes('narthex')) return true
  for (const [i, figures] of [rested, atOnce].entries()) {
    boundEach(bounds, questions, figures, notes[i])
    bounds.atMost(`answers that differ from Prometheus${notes[i]}`, countDifferences(questions, figures), 0, '')
  }
  return bounds.print()
}
