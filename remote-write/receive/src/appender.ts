import type { MetricType } from '@narthex/model/metric-type'

/** What `append` answers; the texts are Prometheus' own. */
export const appendResult = {
  accepted: 0,
  /** The series has another value at this time. */
  duplicate: 1,
  outOfOrder: 2,
  outOfBounds: 3,
  tooOld: 4,
  tooFarInFuture: 5,
} as const

/** Text of a result other than `accepted`; a number that this table does not know is told as such. */
export function describeAppendResult(code: number): string {
  return texts[code] ?? `sample refused with code ${code}`
}

const texts: readonly (string | undefined)[] = [
  undefined,
  'duplicate sample for timestamp',
  'out of order sample',
  'out of bounds',
  'too old sample',
  'out of bounds: timestamp is too far in the future',
]

/**
 * The head as this stage needs it: one writer, synchronous from the first call to `commit` or `rollback`.
 * References stay valid until `commit`; series and symbols made for a request that is then refused are no harm.
 */
export interface HeadAppender {
  /** The series whose raw remote-write 1.0 label bytes were remembered; 0 = unknown. Must not change the head. */
  refByWire(bytes: Uint8Array, start: number, end: number): number
  rememberWire(bytes: Uint8Array, start: number, end: number, ref: number): void
  /** The number of a symbol, the same for the same bytes; the bytes are valid UTF-8 and not empty. Not positive = refused, see `refusal`. */
  internSymbol(bytes: Uint8Array, start: number, end: number): number
  /** name, value, … in any order, no name twice. Makes the series if it is new; negative = refused, see `refusal`. */
  refBySymbols(pairs: Uint32Array, pairCount: number): number
  append(ref: number, timeMs: number, lowWord: number, highWord: number): number
  /** After it returns the samples survive a SIGKILL. Throws if the log cannot be written; then nothing was stored. */
  commit(): void
  rollback(): void
  /** Why the last series or symbol was refused. */
  refusal(): string
}

/** Takes metadata as it comes; called before `commit`. */
export interface MetadataSink {
  setMetadata(family: string, type: MetricType, help: string, unit: string): void
}
