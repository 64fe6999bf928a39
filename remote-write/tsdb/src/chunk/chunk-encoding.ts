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
