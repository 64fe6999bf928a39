/** How the data of a chunk are encoded: the byte that stands before them in a file. */
export const xorEncoding = 1
export const histogramEncoding = 2
export const floatHistogramEncoding = 3
/** Floats with start times and short forms for stale markers; read, never written. */
export const xor2Encoding = 4
/** Histograms with start times; read, never written. */
export const histogramStEncoding = 5
export const floatHistogramStEncoding = 6

const names = ['none', 'XOR', 'histogram', 'floathistogram', 'XOR2', 'histogramST', 'floathistogramST']

/** The encoding's name as Prometheus prints it. */
export function nameOfEncoding(encoding: number): string {
  return names[encoding] ?? '<unknown>'
}

export function isKnownEncoding(encoding: number): boolean {
  return encoding >= xorEncoding && encoding <= floatHistogramStEncoding
}

export function isHistogramEncoding(encoding: number): boolean {
  return isKnownEncoding(encoding) && encoding !== xorEncoding && encoding !== xor2Encoding
}

/**
 * What is known of the counter at the first sample of a histogram chunk against the sample before it; within a chunk there is no
 * reset. The codes are the top two bits of the chunk's flags.
 */
export const unknownReset = 0
export const noReset = 1
export const counterReset = 2
/** All of the chunk's histograms are gauges. */
export const gaugeHistogram = 3

export type ResetHint = typeof unknownReset | typeof noReset | typeof counterReset | typeof gaugeHistogram
