import { formatDuration } from '@narthex/model/duration'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { UserError } from '@narthex/service/user-error'
import type { ApiClient } from '../api-client.ts'
import { readAnswerData, type SeriesShape } from '../answer-shape.ts'
import { describeHistogramUsage } from '../histogram-usage.ts'
import { httpConfigFileFlag } from '../http-config-file.ts'
import { openClient, readTime } from '../query-client.ts'
import { promtoolFlags } from '../subcommands.ts'
import { versionText } from '../version.ts'
import { processOutput } from './check-output.ts'

// narthex query analyze: how many buckets of histograms are used over time, as `promtool query analyze` tells it.

const flags = {
  ...promtoolFlags,
  server: flag.text('server', 'Server to query.', '', { required: true }),
  type: flag.text('type', 'Type of metric: histogram.', '', { required: true }),
  durationMs: flag.durationMs('duration', 'Time frame to analyze.', '1h'),
  time: flag.text('time', 'Query time (RFC3339 or Unix timestamp), defaults to now.', ''),
  match: flag.list('match', 'Series selector. Can be specified multiple times.', { required: true }),
  httpConfigFile: httpConfigFileFlag,
  // As promtool has it with every query; of no effect here.
  output: flag.choice('format', 'Output format of the query.', ['promql', 'json'], 'promql', { short: 'o', hidden: true }),
}

export async function runQueryAnalyze(argv: readonly string[]): Promise<void> {
  const { values } = parseFlags(
    {
      name: 'narthex query analyze',
      help: 'Run queries against your server to analyze the usage pattern of certain metrics.',
      version: versionText('narthex query'),
      flags,
    },
    argv,
  )
  if (values.type !== 'histogram') throw new UserError(`analyze type is ${values.type}, must be 'histogram'`)
  const time = String(readTime(values.time, `time '${values.time}'`, Date.now() / 1000)!)
  const client = openClient(values.server, {}, values.httpConfigFile)
  try {
    const queries = values.match.map((selector) => `${selector}[${formatDuration(values.durationMs)}]`)
    for await (const line of describeHistogramUsage(askAll(client, queries, time))) processOutput.out(line)
  } catch (cause) {
    if (cause instanceof UserError) throw cause
    throw new UserError(cause instanceof Error ? cause.message : String(cause), 1, { cause })
  } finally {
    await client.close()
  }
}

async function* askAll(client: ApiClient, queries: readonly string[], time: string): AsyncGenerator<readonly SeriesShape[]> {
  for (const query of queries) {
    const answer = await client.ask('api/v1/query', new URLSearchParams({ query, time }))
    if (answer.status === 'error') throw new UserError(`${answer.errorType}: ${answer.error}`)
    const { resultType, result } = readAnswerData(answer.data)
    if (resultType !== 'matrix') throw new UserError('query of buckets resulted in non-Matrix')
    yield result as readonly SeriesShape[]
  }
}
