import type { QueryFailureKind, QueryMeasures, QueryRequest } from './query-protocol.ts'

/** Whose query it is. */
export type QueryOrigin =
  | { readonly kind: 'http'; readonly clientAddress: string; readonly method: string; readonly path: string }
  | { readonly kind: 'rules'; readonly group: { readonly file: string; readonly name: string } | undefined }
  /** Nobody asked: it is told nowhere. */
  | { readonly kind: 'rehearsal' }

/** A query that runs or waits. */
export interface ActiveQuery {
  readonly id: number
  readonly request: QueryRequest
  readonly origin: QueryOrigin | undefined
  /** When it was asked, ms since 1970. */
  readonly askedMs: number
  /** When a thread took it; undefined as long as it waits. */
  readonly startedMs: number | undefined
  /** Bytes that it holds now. */
  readonly heldBytes: number
}

/** A query that has ended, one way or the other. */
export interface EndedQuery {
  readonly request: QueryRequest
  readonly origin: QueryOrigin | undefined
  readonly askedMs: number
  /** How long it waited for a thread, and how long it took with that; ms. */
  readonly queuedMs: number
  readonly totalMs: number
  /** Of what was evaluated to its end. */
  readonly measures: QueryMeasures | undefined
  readonly failure: { readonly kind: QueryFailureKind; readonly message: string } | undefined
}

export interface QueryGrid {
  readonly query: string
  readonly startMs: number
  readonly endMs: number
  /** 0: an instant query. */
  readonly stepMs: number
}

/** Expression and times of a PromQL query; undefined for other requests. */
export function gridOf(request: QueryRequest): QueryGrid | undefined {
  if (request.kind === 'range') return request
  if (request.kind !== 'instant' && request.kind !== 'vector') return undefined
  const { query, timeMs } = request
  return { query, startMs: timeMs, endMs: timeMs, stepMs: 0 }
}

/** Samples that a query looked at, by step. */
export interface SamplesPerStep {
  readonly startMs: number
  readonly stepMs: number
  readonly samples: Float64Array
}

/** What an answer shows with `stats`, and the query log; times in seconds. */
export function viewStatistics(
  measures: QueryMeasures,
  queuedMs: number,
  perStep?: SamplesPerStep,
): Record<string, Record<string, unknown>> {
  const { preparationMs, evaluationMs, totalQueryableSamples, samplesRead, peakSamples } = measures
  const evaluated = preparationMs + evaluationMs
  return {
    timings: {
      evalTotalTime: seconds(evaluated),
      // Series come out of the evaluation in their order.
      resultSortTime: 0,
      queryPreparationTime: seconds(preparationMs),
      innerEvalTime: seconds(evaluationMs),
      execQueueTime: seconds(queuedMs),
      execTotalTime: seconds(queuedMs + evaluated),
    },
    samples: {
      ...(perStep === undefined ? {} : { totalQueryableSamplesPerStep: viewSteps(perStep) }),
      ...{ totalQueryableSamples, samplesRead, peakSamples },
    },
  }
}

function viewSteps({ startMs, stepMs, samples }: SamplesPerStep): [seconds: number, samples: number][] {
  return Array.from(samples, (count, step) => [(startMs + step * stepMs) / 1000, count])
}

/** To the microsecond, without the noise of binary fractions. */
function seconds(ms: number): number {
  return Math.round(ms * 1000) / 1e6
}
