/** The part of a series that a range function sees at one step: samples `from` … `to - 1` of the columns. */
export interface SampleWindow {
  /** ms, strictly increasing. */
  times: Float64Array
  values: Float64Array
  from: number
  to: number
  /** The window is (startMs, endMs]. */
  startMs: number
  endMs: number
  rangeMs: number
  /** Time of the step, before offset and @. */
  stepTimeMs: number
  /** Indexes i with values[i] < values[i - 1], for functions over counters; `resetFrom` is the first one that may be in the window. */
  resets: Uint32Array
  resetCount: number
  resetFrom: number
}

/** Result at one step is written to out[step]; false: no value there. Called with at least one sample in the window. */
export type WindowFunction = (window: SampleWindow, out: Float64Array, step: number) => boolean
