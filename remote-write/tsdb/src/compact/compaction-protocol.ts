import type { BlockMeta } from '../block/block-meta.ts'
import type { HeadDescriptor } from '../head/head-memory.ts'
import type { HeadBlockRequest } from './head-block.ts'
import type { CheckpointResult } from '../wal/checkpoint.ts'
import type { MergeRequest } from './merge-blocks.ts'

/** What the storage and its compaction thread say to each other: one task, then its answer. */
export type CompactionTask =
  | { readonly kind: 'cut'; readonly head: HeadDescriptor; readonly request: HeadBlockRequest }
  | { readonly kind: 'merge'; readonly request: MergeRequest }
  | { readonly kind: 'checkpoint'; readonly request: CheckpointRequest }

/** Of CheckpointOptions. */
export interface CheckpointRequest {
  readonly directory: string
  readonly activeSegment: number
  readonly minTimeMs: number
  readonly compresses: boolean
}

export type CompactionAnswer =
  /** Undefined: there was no sample, so no block was written. */
  | { readonly kind: 'done'; readonly meta: BlockMeta | undefined }
  /** Undefined: there were too few segments for one. */
  | { readonly kind: 'checkpointed'; readonly result: CheckpointResult | undefined }
  /** `isDamage`: what is on the disk is wrong, so that trying again will not help. */
  | { readonly kind: 'failed'; readonly reason: string; readonly isDamage: boolean }
