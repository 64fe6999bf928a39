import { RecordedRemarks } from '../annotations.ts'
import type { Span } from '../parse/ast.ts'
import { partsOf } from '../plan/map-plan.ts'
import type { Plan, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import type { StepSeries, VectorOperator } from './operator.ts'
import { stepSeriesBytes } from './operator.ts'

/** Bytes that all parts of a query keep together. A part with more is evaluated again wherever it stands, in a stream. */
export const keptBytesMax = 32 * 1024 * 1024

/** Parts that a query has several times: who comes first evaluates it and keeps its series, the others get these. */
export class SharedParts {
  readonly #context: QueryContext
  readonly #recordings = new Map<string, Recording>()
  #bytes = 0

  constructor(context: QueryContext) {
    this.#context = context
  }

  /** The operator of one place at which a part stands; `build` makes that of the part itself. */
  vector(plan: Plan, grid: StepGrid, build: () => VectorOperator): VectorOperator {
    const key = `${plan.shared!.number} ${grid.startMs} ${grid.stepMs} ${grid.steps} ${grid.counting ?? ''}`
    let recording = this.#recordings.get(key)
    if (recording === undefined) {
      recording = new Recording(this.#context, this, plan, build)
      this.#recordings.set(key, recording)
    }
    return new SharedOperator(this.#context, recording, plan, build)
  }

  /** False: that is more than may be kept. */
  keep(bytes: number): boolean {
    if (this.#bytes + bytes > keptBytesMax || !this.#context.tryHold(bytes)) return false
    this.#bytes += bytes
    return true
  }

  release(bytes: number): void {
    this.#bytes -= bytes
    this.#context.release(0, bytes)
  }

  /** Gives up whatever nobody is reading just now. */
  giveBack(): void {
    for (const recording of this.#recordings.values()) recording.giveUp()
  }
}

/**
 * fresh: nobody has begun. recording: the first reads. whole: all is kept. given up: everyone else evaluates the part himself, because it was too large, or
 * is wanted by a second reader before the first has finished.
 */
type State = 'fresh' | 'recording' | 'whole' | 'given up'

class Recording {
  state: State = 'fresh'
  readonly plan: Plan
  readonly source: VectorOperator
  readonly remarks = new RecordedRemarks()
  readonly #context: QueryContext
  readonly #parts: SharedParts
  #kept: (StepSeries | undefined)[] = []
  #bytes = 0
  #readers = 0
  #replaysLeft: number
  #samplesLooked = 0
  /** The same by step of the query, if that was asked for. */
  readonly #lookedPerStep: Float64Array | undefined

  constructor(context: QueryContext, parts: SharedParts, plan: Plan, build: () => VectorOperator) {
    this.#context = context
    this.#parts = parts
    this.plan = plan
    this.#replaysLeft = plan.shared!.uses - 1
    const { samplesPerStep } = context.statistics
    this.#lookedPerStep = samplesPerStep && new Float64Array(samplesPerStep.length)
    this.source = this.#observe(build)
  }

  /** The next series of the first reader. */
  record(): StepSeries | undefined {
    const series = this.#observe(() => this.source.next())
    if (this.state !== 'recording') return series
    if (series === undefined) {
      this.state = 'whole'
      return undefined
    }
    const bytes = bytesOf(series)
    if (this.#parts.keep(bytes)) {
      this.#bytes += bytes
      this.#kept.push(copyOf(series))
    } else this.giveUp()
    return series
  }

  beginReplay(): void {
    this.#readers++
    this.#replaysLeft--
  }

  /** The series of a further reader, by its place; behind the last one it counts what it spared. */
  replay(at: number): StepSeries | undefined {
    const series = this.#kept[at]
    if (series === undefined) {
      this.#readers--
      // As if it had been looked at again, as Prometheus does.
      const { statistics } = this.#context
      statistics.totalQueryableSamples += this.#samplesLooked
      this.#lookedPerStep?.forEach((samples, step) => (statistics.samplesPerStep![step]! += samples))
      if (this.#isLastReplay) this.#drop()
      return undefined
    }
    if (!this.#isLastReplay) return copyOf(series)
    // Should yet another one come, it is not whole any more.
    this.state = 'given up'
    this.#kept[at] = undefined
    const bytes = bytesOf(series)
    this.#bytes -= bytes
    this.#parts.release(bytes)
    return series
  }

  giveUp(): void {
    if (this.#readers === 0 && this.state !== 'fresh') this.#drop()
  }

  get #isLastReplay(): boolean {
    return this.#replaysLeft <= 0 && this.#readers <= 1
  }

  #drop(): void {
    this.state = 'given up'
    this.#kept = []
    this.#parts.release(this.#bytes)
    this.#bytes = 0
  }

  /** Takes down remarks, and the samples that were looked at. */
  #observe<Result>(run: () => Result): Result {
    const { annotations, statistics, profile } = this.#context
    const before = statistics.totalQueryableSamples
    const beforePerStep = statistics.samplesPerStep?.slice()
    profile?.enter(this.plan)
    annotations.beginRecording(this.remarks)
    try {
      return run()
    } finally {
      annotations.endRecording()
      profile?.leave()
      this.#samplesLooked += statistics.totalQueryableSamples - before
      beforePerStep?.forEach((samples, step) => (this.#lookedPerStep![step]! += statistics.samplesPerStep![step]! - samples))
    }
  }
}

/** One of the places at which a shared part stands. */
class SharedOperator implements VectorOperator {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #recording: Recording
  readonly #plan: Plan
  readonly #build: () => VectorOperator
  #mode: 'record' | 'replay' | VectorOperator | undefined
  #at = 0
  #isAtEnd = false

  constructor(context: QueryContext, recording: Recording, plan: Plan, build: () => VectorOperator) {
    this.#context = context
    this.#recording = recording
    this.#plan = plan
    this.#build = build
    this.distinctWithoutName = recording.source.distinctWithoutName
  }

  next(): StepSeries | undefined {
    // Some ask again behind the last one.
    if (this.#isAtEnd) return undefined
    const series = this.#advance()
    this.#isAtEnd = series === undefined
    return series
  }

  #advance(): StepSeries | undefined {
    this.#mode ??= this.#begin()
    if (this.#mode === 'record') {
      const series = this.#recording.record()
      // The part was built for the place that was built first, which need not be the one that reads first.
      if (series === undefined) this.#replayRemarks()
      return series
    }
    if (this.#mode === 'replay') return this.#recording.replay(this.#at++)
    return this.#mode.next()
  }

  #begin(): 'record' | 'replay' | VectorOperator {
    const recording = this.#recording
    if (recording.state === 'fresh') {
      recording.state = 'recording'
      return 'record'
    }
    if (recording.state !== 'whole') {
      recording.giveUp()
      return this.#build()
    }
    recording.beginReplay()
    this.#replayRemarks()
    return 'replay'
  }

  /** Also about the place that they were made about: a part around it may be recorded, too, which was not when they were made. */
  #replayRemarks(): void {
    const { plan, remarks } = this.#recording
    if (remarks.isEmpty) return
    const places = new Map<Span, Span>()
    pairPlaces(plan, this.#plan, places)
    this.#context.annotations.replay(remarks, (span) => places.get(span) ?? span)
  }
}

/** The places of one plan by those of its equal. */
function pairPlaces(from: Plan, to: Plan, places: Map<Span, Span>): void {
  places.set(from.span, to.span)
  const twins = partsOf(to)
  partsOf(from).forEach((part, i) => pairPlaces(part, twins[i]!, places))
}

/** Whoever gets a series may change it. */
function copyOf({ labels, dropName, values, present, histograms }: StepSeries): StepSeries {
  return { labels, dropName, values: values.slice(), present: present.slice(), histograms: histograms?.slice() }
}

function bytesOf({ values, histograms }: StepSeries): number {
  return stepSeriesBytes(values.length) + (histograms === undefined ? 0 : histograms.length * 8)
}
