import { describeMachine } from './measure.ts'
import { recordNodeExporter } from './node-exporter-text.ts'
import { nodeDashboard } from './node-dashboard.ts'
import { withLoadedServers } from './query-load.ts'
import { askInTurns, countDifferences, printQuestions, type ByContender, type QuestionFigures } from './query-turns.ts'
import { percentile } from './send-load.ts'
import { ratio, readStorageArguments, type ContenderKey } from './storage-bench.ts'

// The instant queries of one host's dashboard over half an hour of many hosts with the lines of a real node exporter. Each is asked many times by turns
// of all programs; the median of all times of all queries counts.

const stepMs = 15_000
const minutes = 30
const samplesPerRequest = 2_000
const rounds = 100
/** Samples lie between the ends of all windows: 2.42 counts one that lies on the left end, 3.x does not. */
const offsetMs = 7_000

export async function benchQueryInstant(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds, keys } = readStorageArguments(args, ['narthex', 'prometheus', 'victoria'])
  const hosts = isSmoke ? 2 : 50
  const texts = await recordNodeExporter(isSmoke ? 3 : 10)
  const seriesPerHost = texts[0]!.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length
  const endMs = Math.floor(Date.now() / 60_000) * 60_000
  const startMs = endMs - minutes * 60_000 + offsetMs - stepMs
  const options = { texts, hosts, seriesPerHost, samplesPerRequest, startMs, stepMs }
  const host = `instance="host-${hosts >> 1}.example.internal:9100",job="node"`
  const questions = nodeDashboard(host).map((query) => ({
    name: query.replaceAll(host, '$host'),
    path: '/api/v1/query',
    form: { query, time: String(endMs / 1000) },
  }))
  console.log(describeMachine())
  console.log(
    `query-instant: ${hosts} hosts × ${seriesPerHost} lines of a node exporter, ${minutes} min at ${stepMs / 1000} s, ${questions.length} queries, ${rounds} times each\n`,
  )
  let figures: ByContender<QuestionFigures>[] = []
  await withLoadedServers(keys, { kind: 'node', options, steps: (minutes * 60_000) / stepMs }, async (servers) => {
    figures = await askInTurns(servers, questions, rounds)
  })
  printQuestions(questions, figures)
  const medians = Object.fromEntries(keys.map((key) => [key, medianMs(figures, key)])) as ByContender<number>
  console.log(`\nmedian of all: ${keys.map((key) => `${medians[key]!.toFixed(2)} ms (${key})`).join(', ')}`)
  const empty = questions.filter((_, i) => figures[i]!.narthex?.answer.includes('"result":[]') === true)
  for (const { name } of empty) console.log(`answered with nothing: ${name}`)
  if (!keys.includes('narthex')) return true
  bounds.atMost('median', medians.narthex, 5, 'ms')
  bounds.atMost('median / Prometheus', ratio(medians.narthex, medians.prometheus), 0.5, '×')
  bounds.atMost('answers that differ from Prometheus', countDifferences(questions, figures), 0, '')
  return bounds.print()
}

function medianMs(figures: readonly ByContender<QuestionFigures>[], key: ContenderKey): number {
  const seconds = figures.flatMap(({ [key]: of }) => of?.laterSeconds ?? [])
  return percentile(Float64Array.from(seconds), 0.5) * 1000
}
