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

/** The windows of one series at all steps: at step i the samples `from[i]` … `to[i]` - 1, none if these are equal. Neither ever falls. */
export interface SampleWindows {
  /** ms, strictly increasing. */
  times: Float64Array
  values: Float64Array
  /** Samples that there are. */
  length: number
  readonly from: Uint32Array
  readonly to: Uint32Array
  readonly steps: number
  /** The end of the first window, ms; `stepMs` is by how much it moves from step to step, 0 if not at all. */
  readonly endMs: number
  readonly stepMs: number
  readonly rangeMs: number
}

/**
 * As a WindowFunction, of all steps in one go: writes `out[i]` where `present[i]` is 1, as it is where there is a sample, and sets `present[i]` to 0 where
 * there is no value.
 */
export type WindowsFunction = (windows: SampleWindows, out: Float64Array, present: Uint8Array) => void
