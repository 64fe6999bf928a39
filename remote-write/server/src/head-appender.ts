import type { Labels } from '@narthex/model/labels'

/** The writing side of the head as the server's own parts use it; `Head` of the storage fits it. */
export interface HeadAppender {
  /** When it has gone up, references that were asked for before may mean other series. */
  readonly referenceVersion: number
  internSymbol(bytes: Uint8Array, start: number, end: number): number
  refBySymbols(pairs: Uint32Array, pairCount: number): number
  refByLabels(labels: Labels): number
  append(ref: number, timeMs: number, lowWord: number, highWord: number): number
  commit(): void
  rollback(): void
  refusal(): string
}
