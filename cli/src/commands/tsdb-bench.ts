import { join } from 'node:path'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { benchWrite } from '@narthex/tsdb/tools/bench-write'
import { promtoolFlags, runSubcommand, type CommandGroup } from '../subcommands.ts'
import { versionText } from '../version.ts'
import { processOutput } from './check-output.ts'
import { runTool } from './tsdb-output.ts'

const name = 'narthex tsdb bench write'
/** Where promtool looks, below its own sources. */
const defaultFile = '../../tsdb/testdata/20kseries.json'

const flags = {
  ...promtoolFlags,
  directory: flag.text('out', 'Set the output path.', 'benchout'),
  metrics: flag.integer('metrics', 'Number of metrics to read.', 10_000),
  scrapes: flag.integer('scrapes', 'Number of scrapes to simulate.', 3000),
}

const group: CommandGroup = {
  name: 'narthex tsdb bench',
  help: 'Run benchmarks.',
  subcommands: { write: { help: 'Run a write performance benchmark.', run: runBenchWrite } },
}

/** narthex tsdb bench write [FLAG ...] [<file>] */
export function runTsdbBench(argv: readonly string[]): Promise<void> {
  return runSubcommand(group, argv, undefined)
}

async function runBenchWrite(argv: readonly string[]): Promise<void> {
  const { values, arguments: positional } = parseFlags(
    {
      name,
      help: 'Run a write performance benchmark.',
      version: versionText(name),
      flags,
      arguments: [{ name: 'file', help: `Input file with samples data, default is (${defaultFile}).`, isOptional: true }],
    },
    argv,
  )
  const { out } = processOutput
  await runTool(() =>
    benchWrite(
      {
        inputPath: positional[0] ?? defaultFile,
        directory: join(values.directory, 'storage'),
        metricsMax: values.metrics,
        scrapes: values.scrapes,
      },
      {
        onStart: (stage) => out(`>> start stage=${stage}`),
        onEnd: (stage, milliseconds) => out(`>> completed stage=${stage} duration=${formatSpan(milliseconds)}`),
        onIngested: () => out('ingestion completed'),
        onSamples: (samples, milliseconds) => {
          out(` > total samples: ${samples}`)
          out(` > samples/sec: ${samples / (milliseconds / 1000)}`)
        },
      },
    ),
  )
}

/** As Go prints a duration: `570.199µs`, `76.92ms`, `2m3.5s`. */
function formatSpan(milliseconds: number): string {
  if (milliseconds < 1) return `${Number((milliseconds * 1000).toFixed(3))}µs`
  if (milliseconds < 1000) return `${Number(milliseconds.toFixed(6))}ms`
  const minutes = Math.floor(milliseconds / 60_000)
  const seconds = Number(((milliseconds % 60_000) / 1000).toFixed(9))
  const hours = Math.floor(minutes / 60)
  if (minutes === 0) return `${seconds}s`
  return hours === 0 ? `${minutes}m${seconds}s` : `${hours}h${minutes % 60}m${seconds}s`
}
