import { RecordedRemarks } from '../annotations.ts'
import type { Span } from '../parse/ast.ts'
import { partsOf } from '../plan/map-plan.ts'
import type { Plan, StepGrid } from '../plan/plan.ts'
import type { QueryContext } from '../query-context.ts'
import type { SampleSeries, SampleSource, StepSeries, VectorOperator } from './operator.ts'
import { stepSeriesBytes } from './operator.ts'

/** Bytes that all parts of a query keep together. A part with more is evaluated again wherever it stands, in a stream. */
export const keptBytesMax = 64 * 1024 * 1024

interface Operator<Series> {
  next(): Series | undefined
  readonly distinctWithoutName: boolean
}

/** How series of a kind are kept. */
interface Keeping<Series> {
  copy(series: Series): Series
  bytes(series: Series): number
  /** Whoever gets a series may change it. */
  readonly areChanged: boolean
}

/** Parts that a query has several times: who comes first evaluates it and keeps its series, the others get these. */
export class SharedParts {
  readonly #context: QueryContext
  readonly #recordings = new Map<string, Recording<StepSeries> | Recording<SampleSeries>>()
  #bytes = 0

  constructor(context: QueryContext) {
    this.#context = context
  }

  /** `build` makes the operator of the part itself. */
  vector(plan: Plan, grid: StepGrid, build: () => VectorOperator): VectorOperator {
    return this.#share(plan, grid, build, keepingSteps)
  }

  /** As `vector`, of the samples of a range selector. */
  source(plan: Plan, grid: StepGrid, build: () => SampleSource): SampleSource {
    return this.#share(plan, grid, build, keepingSamples)
  }

  #share<Series extends StepSeries | SampleSeries>(
    plan: Plan,
    { startMs, stepMs, steps }: StepGrid,
    build: () => Operator<Series>,
    keeping: Keeping<Series>,
  ): Operator<Series> {
    const key = `${plan.shared!.number} ${startMs} ${stepMs} ${steps}`
    // One number is of one kind of plan.
    let recording = this.#recordings.get(key) as Recording<Series> | undefined
    if (recording === undefined) {
      recording = new Recording(this.#context, this, plan, build, keeping)
      this.#recordings.set(key, recording as unknown as Recording<StepSeries> | Recording<SampleSeries>)
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

class Recording<Series> {
  state: State = 'fresh'
  readonly plan: Plan
  readonly source: Operator<Series>
  readonly remarks = new RecordedRemarks()
  readonly #context: QueryContext
  readonly #parts: SharedParts
  readonly #keeping: Keeping<Series>
  #kept: (Series | undefined)[] = []
  #bytes = 0
  #readers = 0
  #replaysLeft: number
  #samplesLooked = 0

  constructor(context: QueryContext, parts: SharedParts, plan: Plan, build: () => Operator<Series>, keeping: Keeping<Series>) {
    this.#context = context
    this.#parts = parts
    this.plan = plan
    this.#keeping = keeping
    this.#replaysLeft = plan.shared!.uses - 1
    this.source = this.#observe(build)
  }

  /** The next series of the first reader. */
  record(): Series | undefined {
    const series = this.#observe(() => this.source.next())
    if (this.state !== 'recording') return series
    if (series === undefined) {
      this.state = 'whole'
      return undefined
    }
    const bytes = this.#keeping.bytes(series)
    if (this.#parts.keep(bytes)) {
      this.#bytes += bytes
      this.#kept.push(this.#keeping.copy(series))
    } else this.giveUp()
    return series
  }

  beginReplay(): void {
    this.#readers++
    this.#replaysLeft--
  }

  /** The series of a further reader, by its place; behind the last one it counts what it spared. */
  replay(at: number): Series | undefined {
    const series = this.#kept[at]
    if (series === undefined) {
      this.#readers--
      // As if it had been looked at again, as Prometheus does.
      this.#context.statistics.totalQueryableSamples += this.#samplesLooked
      if (this.#isLastReplay) this.#drop()
      return undefined
    }
    if (!this.#isLastReplay) return this.#keeping.areChanged ? this.#keeping.copy(series) : series
    // Should yet another one come, it is not whole any more.
    this.state = 'given up'
    this.#kept[at] = undefined
    const bytes = this.#keeping.bytes(series)
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
    profile?.enter(this.plan)
    annotations.beginRecording(this.remarks)
    try {
      return run()
    } finally {
      annotations.endRecording()
      profile?.leave()
      this.#samplesLooked += statistics.totalQueryableSamples - before
    }
  }
}

/** One of the places at which a shared part stands. */
class SharedOperator<Series> implements Operator<Series> {
  readonly distinctWithoutName: boolean
  readonly #context: QueryContext
  readonly #recording: Recording<Series>
  readonly #plan: Plan
  readonly #build: () => Operator<Series>
  #mode: 'record' | 'replay' | Operator<Series> | undefined
  #at = 0
  #isAtEnd = false

  constructor(context: QueryContext, recording: Recording<Series>, plan: Plan, build: () => Operator<Series>) {
    this.#context = context
    this.#recording = recording
    this.#plan = plan
    this.#build = build
    this.distinctWithoutName = recording.source.distinctWithoutName
  }

  next(): Series | undefined {
    // Some ask again behind the last one.
    if (this.#isAtEnd) return undefined
    const series = this.#advance()
    this.#isAtEnd = series === undefined
    return series
  }

  #advance(): Series | undefined {
    this.#mode ??= this.#begin()
    if (this.#mode === 'record') return this.#recording.record()
    if (this.#mode === 'replay') return this.#recording.replay(this.#at++)
    return this.#mode.next()
  }

  #begin(): 'record' | 'replay' | Operator<Series> {
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
    const places = new Map<Span, Span>()
    if (recording.remarks.remarks.length > 0) pairPlaces(recording.plan, this.#plan, places)
    this.#context.annotations.replay(recording.remarks, (span) => places.get(span) ?? span)
    return 'replay'
  }
}

/** The places of one plan by those of its equal. */
function pairPlaces(from: Plan, to: Plan, places: Map<Span, Span>): void {
  places.set(from.span, to.span)
  const twins = partsOf(to)
  partsOf(from).forEach((part, i) => pairPlaces(part, twins[i]!, places))
}

const keepingSteps: Keeping<StepSeries> = {
  areChanged: true,
  copy: ({ labels, dropName, values, present, histograms }) => ({
    labels,
    dropName,
    values: values.slice(),
    present: present.slice(),
    histograms: histograms?.slice(),
  }),
  bytes: ({ values, histograms }) => stepSeriesBytes(values.length) + (histograms === undefined ? 0 : histograms.length * 8),
}

/** Objects of a SampleSeries and its arrays. */
const objectBytes = 400

const keepingSamples: Keeping<SampleSeries> = {
  areChanged: false,
  copy: (series) => ({ ...series, times: series.times.slice(0, series.length), values: series.values.slice(0, series.length) }),
  bytes: ({ length, histograms }) =>
    length * 24 + objectBytes + (histograms === undefined ? 0 : histograms.samples * 16 + histograms.values.length * objectBytes),
}
