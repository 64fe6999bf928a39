import { runSubcommand, type CommandGroup } from '../subcommands.ts'
import { runTsdbAnalyze } from './tsdb-analyze.ts'
import { runTsdbBench } from './tsdb-bench.ts'
import { runTsdbCreateBlocks } from './tsdb-create-blocks.ts'
import { runTsdbDump } from './tsdb-dump.ts'
import { runTsdbList } from './tsdb-list.ts'

const group: CommandGroup = {
  name: 'narthex tsdb',
  help: 'Looks into a data directory, or makes blocks.',
  subcommands: {
    list: { help: 'List tsdb blocks.', run: runTsdbList },
    analyze: { help: 'Analyze churn, label pair cardinality and compaction efficiency.', run: runTsdbAnalyze },
    dump: { help: 'Dump series and samples, or series alone.', run: (argv) => runTsdbDump('dump', argv) },
    'dump-openmetrics': { help: 'Dump samples as OpenMetrics text.', run: (argv) => runTsdbDump('dump-openmetrics', argv) },
    'create-blocks-from': { help: 'Make blocks: openmetrics, rules.', run: runTsdbCreateBlocks },
    bench: { help: 'Measure how fast the storage takes samples: write.', run: runTsdbBench },
  },
}

/** narthex tsdb KIND [FLAG ...] [ARG ...]: looks into a data directory, or makes blocks, as `promtool tsdb` does. */
export function runTsdb(argv: readonly string[]): Promise<void> {
  return runSubcommand(group, argv, undefined)
}

/**
 * `runTsdb` as the whole work of this process: a signal ends it at once, as it ends promtool. The tools compute for minutes without a look at
 * signals, only read, and what a block in the making leaves behind is deleted by the next server.
 */
export function runTsdbProgram(argv: readonly string[]): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal)
  return runTsdb(argv)
}
