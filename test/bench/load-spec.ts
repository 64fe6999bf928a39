import { ChurnLoad, type ChurnLoadOptions } from './churn-load.ts'
import { NodeLoad, type NodeLoadOptions } from './node-load.ts'
import { queriedLabels } from './query-series.ts'
import { RemoteWriteLoad } from './remote-write-load.ts'
import type { WriteLoad, WriteProtocol } from './write-message.ts'

/** Which load a worker is to make; plain data. Its first step is at `startMs + stepMs`. */
export type LoadSpec = (
  | { readonly kind: 'pods'; readonly options: PodLoadOptions }
  /** What the bench of queries asks for. */
  | { readonly kind: 'queried'; readonly options: PodLoadOptions }
  | { readonly kind: 'churn'; readonly options: ChurnLoadOptions }
  | { readonly kind: 'node'; readonly options: NodeLoadOptions }
) & { readonly steps: number }

export interface PodLoadOptions {
  readonly seriesCount: number
  readonly samplesPerRequest: number
  readonly startMs: number
  readonly stepMs: number
  readonly protocol?: WriteProtocol
}

export function makeLoad(spec: LoadSpec): WriteLoad {
  switch (spec.kind) {
    case 'pods': {
      const { seriesCount, samplesPerRequest, startMs, stepMs, protocol = 1 } = spec.options
      return new RemoteWriteLoad(seriesCount, samplesPerRequest, startMs, { stepMs, protocol })
    }
    case 'queried': {
      const { seriesCount, samplesPerRequest, startMs, stepMs } = spec.options
      return new RemoteWriteLoad(seriesCount, samplesPerRequest, startMs, { stepMs, labelsOf: queriedLabels })
    }
    case 'churn':
      return new ChurnLoad(spec.options)
    case 'node':
      return new NodeLoad(spec.options)
  }
}
