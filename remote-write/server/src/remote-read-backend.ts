import type { RemoteReadBackend } from '@narthex/api/backend'
import { ApiError } from '@narthex/api/envelope'
import type { Labels } from '@narthex/model/labels'
import type { GaugeCell } from '@narthex/service/metrics'
import { QueryFailure } from './query-job.ts'
import type { QueryPool } from './query-pool.ts'

export interface RemoteReadSettings {
  /** `--storage.remote.read-sample-limit`: of one query; 0 = no limit. */
  readonly samplesMax: number
  /** `--storage.remote.read-concurrent-limit`: 0 = no limit. */
  readonly concurrencyMax: number
  /** `--storage.remote.read-max-bytes-in-frame` */
  readonly frameBytesMax: number
}

/** An answer that is not whole by then is given up. */
const answerMsMax = 10 * 60_000

/** Remote read out of a pool of its own: a client that reads slowly keeps a thread waiting, and must not keep queries waiting. */
export function createRemoteReadBackend(
  pool: QueryPool,
  { samplesMax, concurrencyMax, frameBytesMax }: RemoteReadSettings,
  externalLabels: () => Labels,
  running: GaugeCell,
): RemoteReadBackend {
  return {
    concurrencyMax,
    externalLabels,
    onCount: (count) => running.set(count),
    async read(request, onPart, signal, client) {
      const { queries, streams } = request
      const labels = request.externalLabels.pairs
      const call = { kind: 'remoteRead', queries, streams, externalLabels: labels, samplesMax, frameBytesMax } as const
      try {
        await pool.run(call, answerMsMax, signal, onPart, client && { kind: 'http', ...client })
      } catch (error) {
        if (error instanceof QueryFailure) throw new ApiError(error.kind, error.message, { cause: error })
        throw error
      }
    },
  }
}
