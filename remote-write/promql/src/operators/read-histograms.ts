import { HistogramColumns } from '@narthex/model/histogram-columns'
import { SampleColumns } from '@narthex/model/sample-columns'
import type { QueryContext } from '../query-context.ts'
import type { SeriesSet } from '../storage.ts'

/** A `FloatHistogram` with its two lists, without the counts in them. */
const objectBytes = 384

/** Columns for a selector's floats, which count for the query before they grow. */
export function makeFloatColumns(context: QueryContext): SampleColumns {
  return new SampleColumns(128, countGrowth(context))
}

/** Reads the native histograms of a selector's series. What they take counts for the query before it is there. */
export class HistogramReader {
  readonly #context: QueryContext
  /** Made when first needed. */
  #columns: HistogramColumns | undefined
  #objectsHeldBytes = 0

  constructor(context: QueryContext) {
    this.#context = context
  }

  /**
   * Those of the series that a set stands on, after its floats were read; undefined if there are none, as most often. They are good until the next call, and
   * `objectsMax` of them at most become objects until then. Throws a QueryError if the query may not hold them.
   */
  read(set: SeriesSet, objectsMax: number): HistogramColumns | undefined {
    this.#context.release(0, this.#objectsHeldBytes)
    this.#objectsHeldBytes = 0
    if (set.histograms === undefined || set.hasHistograms?.() === false) return undefined
    const into = (this.#columns ??= new HistogramColumns(128, 1024, countGrowth(this.#context)))
    into.clear()
    set.histograms(into)
    const { length } = into
    if (length === 0) return undefined
    const objects = Math.min(length, objectsMax)
    const bytes = objects * objectBytes + Math.ceil((into.bucketLength * 8 * objects) / length)
    this.#context.hold(0, bytes)
    this.#objectsHeldBytes = bytes
    return into
  }
}

function countGrowth(context: QueryContext): (bytes: number) => void {
  let heldBytes = 0
  return (bytes) => {
    context.hold(0, bytes - heldBytes)
    heldBytes = bytes
  }
}
