import type { ChunkColumns } from '../chunk/decode-chunk.ts'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { SampleColumns } from '@narthex/model/sample-columns'

/**
 * A stretch of one series' samples in the order of time, a chunk's worth or so: either floats or histograms. Owned by the source that
 * fills it, valid until its next stretch.
 */
export class SampleRun implements ChunkColumns {
  readonly floats = new SampleColumns(256)
  readonly histograms = new HistogramColumns(16, 256)

  clear(): void {
    this.floats.clear()
    this.histograms.clear()
  }

  get isHistogram(): boolean {
    return this.histograms.length > 0
  }

  get length(): number {
    return this.isHistogram ? this.histograms.length : this.floats.length
  }

  time(i: number): number {
    return this.isHistogram ? this.histograms.times[i]! : this.floats.times[i]!
  }
}

/** One series' stretches, those of a source of series. */
export interface RunSource {
  readonly run: SampleRun
  /** Fills `run` with the next stretch, which may be empty; false when there is no more. Stretches of one series do not overlap. */
  nextRun(): boolean
}

/** Samples [from, to) of a run. */
export interface Stretch {
  readonly run: SampleRun
  readonly from: number
  readonly to: number
}

/** A place in the stretches of one source. */
class Cursor {
  readonly #source: RunSource
  at = 0

  constructor(source: RunSource) {
    this.#source = source
  }

  get run(): SampleRun {
    return this.#source.run
  }

  /** Whether there is a sample at the cursor, after loading what is needed. */
  hasSample(): boolean {
    while (this.at >= this.run.length) {
      this.run.clear()
      this.at = 0
      if (!this.#source.nextRun()) return false
    }
    return true
  }

  get timeMs(): number {
    return this.run.time(this.at)
  }

  /** The first place from here on whose time is not below `timeMs`. */
  find(timeMs: number): number {
    const { run } = this
    const { length } = run
    if (length === 0 || run.time(length - 1) < timeMs) return length
    let to = this.at
    while (run.time(to) < timeMs) to++
    return to
  }
}

/**
 * The samples of one series from several sources in the order of time; what is given is valid until the next. Of samples of one time the one
 * from the first source counts. A source alone passes without a comparison a sample.
 */
export function* mergeRuns(sources: readonly RunSource[]): Generator<Stretch> {
  for (const { run } of sources) run.clear()
  let cursors = sources.map((source) => new Cursor(source)).filter((cursor) => cursor.hasSample())
  while (cursors.length > 0) {
    let first = cursors[0]!
    let limitMs = Infinity
    for (let i = 1; i < cursors.length; i++) {
      const cursor = cursors[i]!
      if (cursor.timeMs < first.timeMs) {
        limitMs = first.timeMs
        first = cursor
      } else if (cursor.timeMs < limitMs) limitMs = cursor.timeMs
    }
    const firstMs = first.timeMs
    // Those of the same time have lost: they come later in the list.
    for (const cursor of cursors) if (cursor !== first && cursor.timeMs === firstMs) cursor.at++
    const to = limitMs === firstMs ? first.at + 1 : first.find(limitMs)
    yield { run: first.run, from: first.at, to }
    first.at = to
    if (cursors.some((cursor) => !cursor.hasSample())) cursors = cursors.filter((cursor) => cursor.hasSample())
  }
}
