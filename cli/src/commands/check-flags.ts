import { flag } from '@narthex/service/flag-spec'
import { promtoolFlags } from '../subcommands.ts'

/** Flags that promtool takes with every check, whether it has a use for them or not. */
export const checkFlags = {
  ...promtoolFlags,
  extended: flag.boolean('extended', 'Print extended information related to the cardinality of the metrics.', { hidden: true }),
  lookbackMs: flag.durationMs('query.lookback-delta', "The server's maximum query lookback duration.", '5m', { hidden: true }),
}
