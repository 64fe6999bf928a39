import type { BlockMeta } from '../block/block-meta.ts'
import type { Deletion } from '../block/delete-from-block.ts'
import type { HeadDescriptor } from '../head/head-memory.ts'
import type { ChunkCounts } from './chunk-statistics.ts'
import type { HeadBlockRequest } from './head-block.ts'
import type { HeadIntervals } from './find-in-head.ts'
import type { CheckpointResult } from '../wal/checkpoint.ts'
import type { GoneReferences } from '../wal/log-references.ts'
import type { MergeRequest } from './merge-blocks.ts'

/** What the storage and its compaction thread say to each other: one task, then its answer. */
export type CompactionTask =
  | { readonly kind: 'cut'; readonly head: HeadDescriptor; readonly request: HeadBlockRequest }
  | { readonly kind: 'merge'; readonly request: MergeRequest }
  /** Of a block. */
  | { readonly kind: 'delete'; readonly directory: string; readonly deletion: Deletion }
  /** Finds what there is to delete in the head. */
  | { readonly kind: 'find'; readonly head: HeadDescriptor; readonly deletion: Deletion }
  /** Finds the ranges of sealed late samples from before a time. */
  | { readonly kind: 'late-ranges'; readonly head: HeadDescriptor; readonly beforeMs: number; readonly rangeMs: number }
  | { readonly kind: 'checkpoint'; readonly request: CheckpointRequest }

/** Of CheckpointOptions. */
export interface CheckpointRequest {
  readonly gone: readonly GoneReferences[]
  readonly directory: string
  readonly activeSegment: number
  readonly settledSegment: number
  readonly minTimeMs: number
  readonly compresses: boolean
}

export type CompactionAnswer =
  /** Undefined: there was no sample, so no block was written; or nothing to delete. `chunks`: those of a block of the head. */
  | { readonly kind: 'done'; readonly meta: BlockMeta | undefined; readonly chunks?: ChunkCounts }
  | { readonly kind: 'found'; readonly found: HeadIntervals }
  | { readonly kind: 'ranges'; readonly starts: readonly number[] }
  /** Undefined: there were too few segments for one. */
  | { readonly kind: 'checkpointed'; readonly result: CheckpointResult | undefined }
  /** `isDamage`: what is on the disk is wrong, so that trying again will not help. */
  | { readonly kind: 'failed'; readonly reason: string; readonly isDamage: boolean }
