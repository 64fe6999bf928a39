// The marker is a signalling NaN. JavaScript may turn it into a quiet one whenever it passes through a number,
// so it is only ever moved and compared as two 32-bit words.

/** The halves of 0x7ff0000000000002, the value that says "this series ended here". */
export const STALE_LOW = 0x0000_0002
export const STALE_HIGH = 0x7ff0_0000

/** The halves of 0x7ff8000000000001, the NaN that Prometheus stores for a scraped NaN. */
export const NORMAL_NAN_LOW = 0x0000_0001
export const NORMAL_NAN_HIGH = 0x7ff8_0000

export function isStaleWords(low: number, high: number): boolean {
  return low === STALE_LOW && high === STALE_HIGH
}

/** Makes value `i` of a `Float64Array` stale, through the `Uint32Array` over the same buffer (little endian). */
export function writeStale(words: Uint32Array, i: number): void {
  words[2 * i] = STALE_LOW
  words[2 * i + 1] = STALE_HIGH
}
