import type { ChunkWriterState } from '../chunk/open-chunk.ts'
import type { HeadChunkFile } from '../head-chunks/replay-head-chunks.ts'
import type { HeadDescriptor } from './head-memory.ts'

/** What a thread needs to append floats of a log to a head that lends it its chunks; plain data. */
export interface ChunkLoan {
  /** Of the head, but for the control block: there the thread has its own epochs and times, which the lender may look at. */
  readonly memory: Omit<HeadDescriptor, 'readerSlot'>
  readonly writer: ChunkWriterState
  readonly rangeMs: number
  /** A commit that the head has published. */
  readonly commit: number
  /** Floats outside of these are not taken. */
  readonly minValidMs: number
  readonly maxValidMs: number
  /** The files of closed chunks, if those go into files. */
  readonly files: readonly HeadChunkFile[] | undefined
}

/** What the thread gives back. */
export interface ReturnedChunks {
  readonly writer: ChunkWriterState
  /** Chunks that began, and those of them that are in files. */
  readonly created: number
  readonly filed: number
  /** Floats that are in chunks now, those that were taken, which are these and repeated ones, and others. */
  readonly appended: number
  readonly taken: number
  readonly outOfOrder: number
  /** For want of memory. */
  readonly refused: number
  readonly minTimeMs: number
  readonly maxTimeMs: number
  readonly files: readonly HeadChunkFile[] | undefined
  /** Why chunks could not be written to files. */
  readonly writeError: string | undefined
}
