import type { Labels } from '@narthex/model/labels'
import type { MetricType } from '@narthex/model/metric-type'
import type { NativeHistogram } from '@narthex/model/native-histogram'

/** What `append` answers; the texts are Prometheus' own. */
export const appendResult = {
  accepted: 0,
  /** The series has another value at this time. */
  duplicate: 1,
  outOfOrder: 2,
  outOfBounds: 3,
  tooOld: 4,
  tooFarInFuture: 5,
  unknownSeries: 6,
  /** Nothing more is taken for now: the whole request is rolled back, and the sender told to come again. */
  memoryCeiling: 7,
  /** A histogram that is none: `refusal` says why. */
  invalidHistogram: 8,
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
  'unknown series reference',
  'memory ceiling of the head reached',
  'invalid histogram',
]

/** Thrown when the head takes nothing more: the request is rolled back and answered with 503. */
export class HeadFullError extends Error {
  override name = 'HeadFullError'
}

/**
 * The head as this stage needs it: one writer, synchronous from the first call to `commit` or `rollback`.
 * References stay valid until `commit`; series and symbols made for a request that is then refused are no harm.
 */
export interface HeadAppender {
  /** The series whose key was remembered (raw label bytes for 1.0, `SymbolHashes.key` for 2.0); 0 = unknown. Must not change the head. */
  refByWire(bytes: Uint8Array, start: number, end: number): number
  rememberWire(bytes: Uint8Array, start: number, end: number, ref: number): void
  /**
   * The number of a symbol, the same for the same bytes; the bytes are valid UTF-8 and not empty. 0 = refused: `refBySymbols` of a series with it refuses then, and `refusal` says why. */
  internSymbol(bytes: Uint8Array, start: number, end: number): number
  /** name, value, … in any order, no name twice. Makes the series if it is new; negative = refused, see `refusal`. */
  refBySymbols(pairs: Uint32Array, pairCount: number): number
  append(ref: number, timeMs: number, lowWord: number, highWord: number): number
  /** `resetHint`: 0 not known · 1 no counter reset · 2 a counter reset · 3 a gauge. */
  appendHistogram(ref: number, timeMs: number, histogram: NativeHistogram, resetHint: 0 | 1 | 2 | 3): number
  /** The marker that a series of histograms ended. */
  appendStaleHistogram(ref: number, timeMs: number, isFloat: boolean): number
  /** After it returns the samples survive a SIGKILL. Throws if the log cannot be written; then nothing was stored. */
  commit(): void
  rollback(): void
  /** Why the last series, symbol or histogram was refused. */
  refusal(): string
}

/** Takes metadata as it comes; called before `commit`. */
export interface MetadataSink {
  setMetadata(family: string, type: MetricType, help: string, unit: string): void
  /** Where metadata are kept by series, too. */
  readonly series?: SeriesMetadataSink | undefined
}

export interface SeriesMetadataSink {
  /** For senders that do not say which series they mean. */
  noteFamily(family: string, type: MetricType, unit: string, help: string): void
  /** The number of these metadata, the same for the same texts. */
  numberOf(type: MetricType, unit: string, help: string): number
  noteSeries(ref: number, number: number): void
  /** Called after the commit of the samples; throws as that does. */
  commit(): void
  rollback(): void
}

/** What `ExemplarSink.append` answers, as far as this stage has to know; other numbers are other reasons to drop one. */
export const exemplarResult = { accepted: 0, duplicate: 1, outOfOrder: 2 } as const

export interface ExemplarSink {
  /** The series with these labels, 0 if there is none: it is not made. */
  findSeries(labels: Labels): number
  /** For the next commit; of a reference that is not positive it is refused. */
  append(ref: number, timeMs: number, lowWord: number, highWord: number, labels: Labels): number
  /** Called after the commit of the samples; throws as that does. */
  commit(): void
  rollback(): void
}
