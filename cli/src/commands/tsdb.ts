import { UserError } from '@narthex/service/user-error'
import { runTsdbAnalyze } from './tsdb-analyze.ts'
import { runTsdbBench } from './tsdb-bench.ts'
import { runTsdbCreateBlocks } from './tsdb-create-blocks.ts'
import { runTsdbDump } from './tsdb-dump.ts'
import { runTsdbList } from './tsdb-list.ts'

const kinds: Readonly<Record<string, (argv: readonly string[]) => void | Promise<void>>> = {
  list: runTsdbList,
  analyze: runTsdbAnalyze,
  dump: (argv) => runTsdbDump('dump', argv),
  'dump-openmetrics': (argv) => runTsdbDump('dump-openmetrics', argv),
  'create-blocks-from': runTsdbCreateBlocks,
  bench: runTsdbBench,
}

/** narthex tsdb KIND [FLAG ...] [ARG ...]: looks into a data directory, or makes blocks, as `promtool tsdb` does. */
export async function runTsdb(argv: readonly string[]): Promise<void> {
  const [kind, ...rest] = argv
  const run = kind !== undefined && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  if (run !== undefined) return await run(rest)
  throw new UserError(`narthex tsdb: want one of ${Object.keys(kinds).join(', ')}, got ${kind ?? 'nothing'}`)
}

/**
 * `runTsdb` as the whole work of this process: a signal ends it at once, as it ends promtool. The tools compute for minutes without a look at
 * signals, only read, and what a block in the making leaves behind is deleted by the next server.
 */
export function runTsdbProgram(argv: readonly string[]): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal)
  return runTsdb(argv)
}
