import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { ConfigError } from '@narthex/config/config-error'
import { parseRuleFile, type RuleGroupConfig } from '@narthex/config/rule-file'
import { groupPhaseMs } from '@narthex/rules/group-schedule'
import { parseExpression } from '@narthex/promql/parse/parse'
import { parseTimestampSeconds } from '@narthex/model/timestamp'
import { splitFeatures, toParseOptions } from '@narthex/server/feature-flags'
import { createRuleChecks } from '@narthex/server/rule-checks'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { createLogger, type Logger } from '@narthex/service/logger'
import { UserError } from '@narthex/service/user-error'
import { createRuleBlocks, type BackfilledRule } from '@narthex/tsdb/tools/rule-blocks'
import { httpConfigFileFlag, readHttpConfigFile } from '../http-config-file.ts'
import { promtoolFlags } from '../subcommands.ts'
import { versionText } from '../version.ts'
import { processOutput } from './check-output.ts'
import { requireFiles } from './check-rules.ts'
import { RangeQueryClient } from './range-query.ts'
import { defaultDirectory, runTool } from './tsdb-output.ts'
import { yieldsGauges } from './yields-gauges.ts'

const name = 'narthex tsdb create-blocks-from rules'
/** Without an end: samples this fresh may still be in the head of the server that gets the blocks. */
const endBeforeNowMs = 3 * 3600 * 1000
/** Of the machine's memory, for the samples of one block. */
const memoryShareMax = 0.5

const flags = {
  ...promtoolFlags,
  url: flag.text('url', 'The URL for the Prometheus API with the data where the rule will be backfilled from.', 'http://localhost:9090'),
  httpConfigFile: httpConfigFileFlag,
  start: flag.string(
    'start',
    'The time to start backfilling the new rule from. Must be a RFC3339 formatted date or Unix timestamp. Required.',
    { required: true },
  ),
  end: flag.text(
    'end',
    'All recording rules are backfilled to the end time. Default: up to 3 hours ago. Must be a RFC3339 formatted date or Unix timestamp.',
    '',
  ),
  outputDirectory: flag.text('output-dir', 'Output directory for generated blocks.', defaultDirectory),
  evalIntervalMs: flag.durationMs(
    'eval-interval',
    'How frequently to evaluate rules when backfilling if a value is not set in the recording rule files.',
    '60s',
  ),
  isHumanReadable: flag.boolean('human-readable', 'Print human readable values (no effect here).', { short: 'r' }),
  isQuiet: flag.boolean('quiet', 'Do not print what is done.', { short: 'q' }),
  takesCustomBuckets: flag.boolean(
    'storage.tsdb.native-histogram-custom-buckets',
    'Store native histograms with custom buckets, as the flag of the server does. Prometheus before 3.0 cannot read the blocks.',
  ),
  maxBlockDurationMs: flag.durationMs(
    'max-block-duration',
    'Longest range of a block; a multiple of 2h by 3, 9, 27, ... that is not above it is taken.',
    '2h',
    { hidden: true },
  ),
}

/** narthex tsdb create-blocks-from rules --start=TIME [FLAG ...] <rule-files>... */
export async function runTsdbCreateRuleBlocks(argv: readonly string[]): Promise<void> {
  const { values, arguments: paths } = parseFlags(
    {
      name,
      help: 'Create blocks of data for new recording rules.',
      version: versionText(name),
      flags,
      arguments: [
        {
          name: 'rule-files',
          help: 'A list of one or more files containing recording rules to be backfilled. Alerting rules are not evaluated.',
          isRepeatable: true,
        },
      ],
    },
    argv,
  )
  requireFiles(name, paths)
  if (values.evalIntervalMs <= 0) throw new UserError(`${name}: want an --eval-interval above 0`)
  const endMs = values.end === '' ? Date.now() - endBeforeNowMs : parseTime('end', values.end)
  const startMs = parseTime('start', values.start ?? '')
  if (startMs >= endMs) throw new UserError('start time is not before end time')
  const client = openClient(values.url, values.httpConfigFile)
  const log = createLogger({ level: values.isQuiet ? 'warn' : 'info' }).with({ component: 'backfiller' })
  log.info('new rule importer', { start: formatTime(startMs), end: formatTime(endMs) })
  const rules = paths.flatMap((path) => toRules(loadGroups(path, values.features), values, log))
  let failures = 0
  try {
    await runTool(async () => {
      const leftOut = await createRuleBlocks(
        {
          rules,
          // Whole seconds, as promtool takes them.
          startMs: Math.floor(startMs / 1000) * 1000,
          endMs: Math.floor(endMs / 1000) * 1000,
          outputDirectory: values.outputDirectory,
          maxBlockDurationMs: values.maxBlockDurationMs,
          memoryBytesMax: totalmem() * memoryShareMax,
          takesCustomBuckets: values.takesCustomBuckets,
          ask: (expression, fromMs, toMs, stepMs) => client.ask(expression, fromMs, toMs, stepMs),
        },
        {
          onBlock: ({ ulid, minTime, maxTime, stats }) => {
            log.info('block written', { ulid, minTime, maxTime, samples: stats?.numSamples, series: stats?.numSeries })
          },
          onFailure: ({ record }, reason) => {
            failures++
            processOutput.err(`rule importer error: ${record}: query range: ${reason}`)
          },
        },
      )
      if (leftOut.samples > 0) processOutput.err(`warning: ${leftOut.samples} samples were left out: another rule gives the same series`)
      if (leftOut.histograms > 0)
        processOutput.err(`warning: ${leftOut.histograms} native histograms were left out: ${leftOut.histogramReason}`)
    })
  } finally {
    await client.close()
  }
  if (failures > 0) throw new UserError('error importing rules')
}

function openClient(url: string, httpConfigFile: string): RangeQueryClient {
  const config = readHttpConfigFile(name, httpConfigFile)
  try {
    return new RangeQueryClient(url, config)
  } catch (cause) {
    throw new UserError(`new api client error: cannot parse ${JSON.stringify(url)} as a URL`, 1, { cause })
  }
}

function loadGroups(path: string, features: readonly string[]): readonly RuleGroupConfig[] {
  try {
    return parseRuleFile(readFileSync(path, 'utf8'), path, createRuleChecks(splitFeatures(features)))
  } catch (cause) {
    throw new UserError(`rule importer parse error: ${describeProblem(path, cause)}`, 1, { cause })
  }
}

function describeProblem(path: string, error: unknown): string {
  const problem = error instanceof ConfigError && error.kind === 'check' ? error.problems[0] : undefined
  if (problem !== undefined) return `${path}: ${problem.line}:${problem.column}: ${problem.text}`
  return `${path}: ${error instanceof ConfigError ? error.goText : error instanceof Error ? error.message : String(error)}`
}

function toRules(
  groups: readonly RuleGroupConfig[],
  { evalIntervalMs, features }: { readonly evalIntervalMs: number; readonly features: readonly string[] },
  log: Logger,
): BackfilledRule[] {
  const parseOptions = toParseOptions(splitFeatures(features))
  return groups.flatMap((group) => {
    log.info('processing group', { name: `${group.file};${group.name}` })
    const intervalMs = group.intervalMs ?? evalIntervalMs
    const phaseMs = groupPhaseMs(group.file, group.name, intervalMs)
    return group.rules.flatMap((rule, id) => {
      if (rule.kind !== 'recording') return []
      log.info('processing rule', { id, name: rule.record })
      const labels = { ...group.labels, ...rule.labels }
      const areGauges = yieldsGauges(parseExpression(rule.expr, parseOptions))
      return { record: rule.record, expression: rule.expr, labels, intervalMs, phaseMs, yieldsGauges: areGauges }
    })
  })
}

function parseTime(flagName: string, text: string): number {
  const timeMs = Math.round((parseTimestampSeconds(text) ?? NaN) * 1000)
  if (!(Math.abs(timeMs) <= 8.64e15)) {
    throw new UserError(`error parsing ${flagName} time: cannot parse ${JSON.stringify(text)} to a valid timestamp`)
  }
  return timeMs
}

/** `14 Nov 23 22:13 UTC` */
function formatTime(timeMs: number): string {
  // `Tue, 14 Nov 2023 22:13:20 GMT`
  const [, day, month, year, clock] = new Date(timeMs).toUTCString().split(' ')
  return `${day} ${month} ${year!.slice(-2)} ${clock!.slice(0, 5)} UTC`
}
