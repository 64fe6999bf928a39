import { NoDataError, type Collector } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'

/**
 * A collector that is not built. It is there so that it can be switched on and asked for as in the original: success 0, and one log line at
 * the start that says why.
 */
export function createUnreachableCollector(name: string, want: string): (environment: NodeEnvironment) => Collector {
  return ({ log }) => {
    const reason = `cannot collect ${name}: want ${want}, which this exporter does not speak`
    log.warn('collector gives nothing', { name, err: reason })
    return {
      name,
      defaultOn: false,
      collect: () => {
        throw new NoDataError(reason)
      },
    }
  }
}
