import { describeMachine } from './measure.ts'
import { withLoadedServers } from './query-load.ts'
import {
  askInTurns,
  boundEach,
  countDifferences,
  printQuestions,
  type ByContender,
  type Question,
  type QuestionFigures,
} from './query-turns.ts'
import { readStorageArguments } from './storage-bench.ts'

// What Grafana asks to fill its lists, and counts by a label with many values, over a million series that are all in the head.

const samplesPerRequest = 2_000
const stepMs = 15_000
const steps = 2
const rounds = 7

/** It refuses or gives up some of these by default. */
const victoriaFlags = ['-search.maxSeries=1000000', '-search.maxUniqueTimeseries=1000000', '-search.maxQueryDuration=2m']

function makeQuestions(endMs: number): readonly Question[] {
  const range = { start: String(endMs / 1000 - 3600), end: String(endMs / 1000) }
  const list = (path: string, match?: string): Question => ({
    name: match === undefined ? path : `${path} ${match}`,
    path: `/api/v1/${path}`,
    form: match === undefined ? range : { ...range, 'match[]': match },
    isGet: true,
  })
  const count = (query: string): Question => ({ name: query, path: '/api/v1/query', form: { query, time: String(endMs / 1000) } })
  return [
    list('labels'),
    list('labels', '{__name__=~"app_http_requests_total_.+",namespace!="team-3"}'),
    list('label/__name__/values'),
    list('label/__name__/values', '{pod=~"service-7-.+",cluster!="production-europe-west-1"}'),
    list('label/pod/values'),
    list('label/pod/values', '{__name__=~"app_worker_queue_depth_00[0-2]",cluster!="production-europe-west-1"}'),
    list('label/namespace/values', '{job=~"service-1.+",endpoint!=""}'),
    list('series', '{__name__=~"app_worker_queue_depth_00[0-2]",namespace!="team-3"}'),
    list('series', '{pod=~"service-7-.+",__name__!="app_worker_queue_depth_000"}'),
    count('count by (pod) (app_worker_queue_depth_000)'),
    count('count by (pod) ({__name__=~"app_worker_queue_depth_.+",cluster!="production-europe-west-1"})'),
    count('count by (pod) ({__name__=~"app_http_requests_total_.+"})'),
  ]
}

export async function benchQueryMetadata(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds, keys } = readStorageArguments(args, ['narthex', 'prometheus', 'victoria'])
  const seriesCount = isSmoke ? 20_000 : 1_000_000
  const endMs = Math.floor(Date.now() / 60_000) * 60_000
  const options = { seriesCount, samplesPerRequest, startMs: endMs - (steps + 1) * stepMs, stepMs }
  const questions = makeQuestions(endMs)
  console.log(describeMachine())
  console.log(`query-metadata: ${seriesCount} series × ${steps} samples; best of ${rounds}\n`)
  let figures: ByContender<QuestionFigures>[] = []
  await withLoadedServers(
    keys,
    { kind: 'pods', options, steps },
    async (servers) => {
      figures = await askInTurns(servers, questions, rounds)
    },
    (key) => (key === 'victoria' ? { flags: victoriaFlags } : {}),
  )
  printQuestions(questions, figures)
  if (!keys.includes('narthex')) return true
  boundEach(bounds, questions, figures)
  bounds.atMost('answers that differ from Prometheus', countDifferences(questions, figures), 0, '')
  return bounds.print()
}
