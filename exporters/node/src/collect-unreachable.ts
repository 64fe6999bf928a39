import { NoDataError, type Collector } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'

/**
 * A collector whose subject the kernel tells only by calls that Node.js cannot make and that has no files. It is there so that it can be
 * switched on and asked for as in the original: success 0, and one log line at the start that says why.
 */
export function createUnreachableCollector(name: string, want: string): (environment: NodeEnvironment) => Collector {
  return ({ log }) => {
    log.warn('collector gives nothing', { name, err: `cannot collect ${name}: want ${want}, got a runtime without it` })
    return {
      name,
      defaultOn: false,
      collect: () => {
        throw new NoDataError(`cannot collect ${name}: want ${want}, got a runtime without it`)
      },
    }
  }
}
