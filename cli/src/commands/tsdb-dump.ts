import { totalmem } from 'node:os'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { dumpDatabase, OpenMetricsFormat, PlainFormat, SeriesJsonFormat } from '@narthex/tsdb/tools/dump-database'
import { promtoolFlags } from '../subcommands.ts'
import { versionText } from '../version.ts'
import { processOutput } from './check-output.ts'
import { defaultDirectory, runTool, writeText } from './tsdb-output.ts'
import { everySeries, parseSelectors } from './tsdb-selectors.ts'

const earliest = '-9223372036854775808'
const latest = '9223372036854775807'
/** Of the machine's memory, for what the log has. */
const memoryShareMax = 0.75

const flags = {
  ...promtoolFlags,
  sandbox: flag.string('sandbox-dir-root', 'Taken for compatibility: nothing is copied or written, so no directory is needed.'),
  minTimeMs: flag.custom('min-time', 'Minimum timestamp to dump.', parseTime, { default: earliest }),
  maxTimeMs: flag.custom('max-time', 'Maximum timestamp to dump.', parseTime, { default: latest }),
  match: flag.list('match', 'Series selector. Can be specified multiple times.', { default: [everySeries] }),
}

const helps = {
  dump: 'Dump data (series+samples or optionally just series) from a TSDB.',
  'dump-openmetrics': 'Dump samples from a TSDB into OpenMetrics text format; native histograms are left out.',
}

/** narthex tsdb dump|dump-openmetrics [--min-time=MS] [--max-time=MS] [--match=SELECTOR ...] [db path] */
export async function runTsdbDump(kind: 'dump' | 'dump-openmetrics', argv: readonly string[]): Promise<void> {
  const format = flag.choice('format', 'Output format of the dump.', ['prom', 'seriesjson'], 'prom')
  const { values, arguments: positional } = parseFlags(
    {
      name: `narthex tsdb ${kind}`,
      help: helps[kind],
      version: versionText(`narthex tsdb ${kind}`),
      flags: kind === 'dump' ? { ...flags, format } : { ...flags, format: { ...format, isHidden: true } },
      arguments: [{ name: 'db path', help: `Database path (default is ${defaultDirectory}).`, isOptional: true }],
    },
    argv,
  )
  const openMetrics = new OpenMetricsFormat()
  const chosen = kind === 'dump-openmetrics' ? openMetrics : values.format === 'seriesjson' ? new SeriesJsonFormat() : new PlainFormat()
  const problems: string[] = []
  await runTool(() => {
    const request = {
      directory: positional[0] ?? defaultDirectory,
      selectors: parseSelectors(values.match),
      minTimeMs: values.minTimeMs ?? -Infinity,
      maxTimeMs: values.maxTimeMs ?? Infinity,
      memoryBytesMax: totalmem() * memoryShareMax,
    }
    return writeText(dumpDatabase(request, chosen, problems))
  })
  for (const problem of problems) processOutput.err(`warning: ${problem}`)
  if (openMetrics.histogramsLeftOut > 0) {
    processOutput.err(`warning: ${openMetrics.histogramsLeftOut} native histograms were left out: OpenMetrics text has no form for them`)
  }
}

/** A time in ms as a whole number of 64 bits. */
function parseTime(text: string): number {
  const syntax = /^[+-]?\d+$/.test(text)
  if (!syntax) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  const exact = BigInt(text.replace(/^\+/, ''))
  if (exact < BigInt(earliest) || exact > BigInt(latest)) {
    throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`)
  }
  return Number(exact)
}
