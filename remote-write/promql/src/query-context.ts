import { Annotations } from './annotations.ts'
import { SharedParts } from './operators/shared-parts.ts'
import { QueryProfile } from './query-profile.ts'
import type { StepGrid } from './plan/plan.ts'
import { QueryError } from './query-error.ts'
import type { ResultBuffers } from './query-result.ts'
import type { Queryable } from './storage.ts'

/** Looked at between series and every few thousand samples; a worker's may be a view over a SharedArrayBuffer. */
export interface AbortFlag {
  readonly aborted: boolean
}

export interface QueryLimits {
  readonly samplesMax: number
  readonly bytesMax: number
  /** Makes sure that this query may hold so many bytes beside all others; gives the reason if it may not. */
  readonly cover?: ((bytes: number) => string | undefined) | undefined
  readonly timeoutMs: number
  readonly signal?: AbortFlag
  readonly now: () => number
}

export interface QueryStatistics {
  /** Samples that the selectors looked at, counted once per step, as Prometheus' `totalQueryableSamples`. */
  totalQueryableSamples: number
  /** The same by step of the query, if that was asked for. */
  readonly samplesPerStep: Float64Array | undefined
  /** Most samples held at one time. */
  peakSamples: number
  /** Samples read from storage, each once. */
  samplesRead: number
  /** Most bytes of columns held at one time. */
  peakBytes: number
  series: number
  evaluationMs: number
}

/** Everything the operators of one query share: storage, limits, annotations, counters. */
export class QueryContext {
  readonly queryable: Queryable
  readonly resultBuffers: ResultBuffers | undefined
  readonly annotations: Annotations
  readonly lookbackMs: number
  readonly delayedNameRemoval: boolean
  readonly useStartTimestamps: boolean
  /** Series have labels that say what they are. */
  readonly typeAndUnitLabels: boolean
  /** Metadata labels dropped together with the name. */
  readonly droppedLabels: readonly string[] = ['__name__', '__type__', '__unit__']
  /** The query as a whole: what step(), range(), start() and end() speak of. */
  readonly startMs: number
  readonly endMs: number
  readonly stepMs: number
  readonly statistics: QueryStatistics
  /** What equal parts of the query keep for each other. */
  readonly shared: SharedParts = new SharedParts(this)
  /** What each part of the plan takes, if that is asked. */
  readonly profile: QueryProfile | undefined
  readonly #steps: number
  readonly #limits: QueryLimits
  readonly #deadlineMs: number
  #samplesHeld = 0
  #bytesHeld = 0
  #bytesCovered = 0
  #checks = 0

  constructor(
    text: string,
    queryable: Queryable,
    limits: QueryLimits,
    query: {
      lookbackMs: number
      delayedNameRemoval: boolean
      typeAndUnitLabels: boolean
      useStartTimestamps: boolean
      startMs: number
      endMs: number
      stepMs: number
      /** Those that are evaluated, which may be a part of them. */
      steps: number
      isProfiled: boolean
      countsPerStep?: boolean
      resultBuffers?: ResultBuffers | undefined
    },
  ) {
    this.#steps = query.steps
    const samplesPerStep = query.countsPerStep === true ? new Float64Array(this.#steps) : undefined
    this.statistics = {
      ...{ totalQueryableSamples: 0, samplesPerStep, peakSamples: 0, samplesRead: 0, peakBytes: 0, series: 0, evaluationMs: 0 },
    }
    this.profile = query.isProfiled ? new QueryProfile(limits.now, this.statistics) : undefined
    this.queryable = queryable
    this.resultBuffers = query.resultBuffers
    this.annotations = new Annotations(text)
    this.#limits = limits
    this.#deadlineMs = limits.now() + limits.timeoutMs
    this.lookbackMs = query.lookbackMs
    this.delayedNameRemoval = query.delayedNameRemoval
    this.typeAndUnitLabels = query.typeAndUnitLabels
    this.useStartTimestamps = query.useStartTimestamps
    this.startMs = query.startMs
    this.endMs = query.endMs
    this.stepMs = query.stepMs
  }

  /** Counts samples that a selector looked at on its grid; `ofStep` is asked only if somebody wants to know it by step. */
  countSamples({ steps, counting }: StepGrid, samples: number, ofStep: (step: number) => number): void {
    if (counting === 'none') return
    const { statistics } = this
    const perStep = statistics.samplesPerStep
    statistics.totalQueryableSamples += counting === 'all' ? samples * this.#steps : samples
    if (perStep === undefined) return
    if (counting === 'all') for (let step = 0; step < perStep.length; step++) perStep[step]! += samples
    else if (counting === 'last') perStep[perStep.length - 1]! += samples
    else for (let step = 0; step < steps; step++) perStep[step]! += ofStep(step)
  }

  /** True if this is a query for one instant. */
  get isInstant(): boolean {
    return this.stepMs === 0
  }

  /** Ends a query that was cancelled or took too long. Cheap: call it for every series. */
  checkAlive(): void {
    if (this.#limits.signal?.aborted === true) throw new QueryError('canceled', 'query was canceled in expression evaluation')
    if ((this.#checks++ & 3) === 0 && this.#limits.now() > this.#deadlineMs) {
      throw new QueryError('timeout', 'query timed out in expression evaluation')
    }
  }

  /** Takes samples and bytes from the budget; ends the query if that is more than it may hold, even without what can be done without. */
  hold(samples: number, bytes: number): void {
    this.#samplesHeld += samples
    if (this.#samplesHeld > this.statistics.peakSamples) this.statistics.peakSamples = this.#samplesHeld
    if (this.#samplesHeld > this.#limits.samplesMax) throw new QueryError('execution', tooManyText)
    this.#bytesHeld += bytes
    const refusal = this.#refusal()
    if (refusal !== undefined) {
      this.shared.giveBack()
      const stillRefused = this.#refusal()
      if (stillRefused !== undefined) throw new QueryError('execution', `${tooManyText}: ${stillRefused}`)
    }
    if (this.#bytesHeld > this.statistics.peakBytes) this.statistics.peakBytes = this.#bytesHeld
    this.profile?.hold(bytes)
  }

  /** Takes bytes that the query can do without; false if it may not hold so many. */
  tryHold(bytes: number): boolean {
    this.#bytesHeld += bytes
    if (this.#refusal() === undefined) {
      if (this.#bytesHeld > this.statistics.peakBytes) this.statistics.peakBytes = this.#bytesHeld
      this.profile?.hold(bytes)
      return true
    }
    this.#bytesHeld -= bytes
    return false
  }

  /** Why the query may not hold as many bytes as it does. */
  #refusal(): string | undefined {
    if (this.#bytesHeld <= this.#bytesCovered) return undefined
    if (this.#bytesHeld > this.#limits.bytesMax) return `one query may hold ${this.#limits.bytesMax} bytes`
    const refusal = this.#limits.cover?.(this.#bytesHeld)
    if (refusal === undefined) this.#bytesCovered = this.#bytesHeld
    return refusal
  }

  release(samples: number, bytes: number): void {
    this.#samplesHeld -= samples
    this.#bytesHeld -= bytes
    this.profile?.hold(-bytes)
  }
}

const tooManyText = 'query processing would load too many samples into memory in query execution'
