import { matchersOf } from '../block/delete-from-block.ts'
import type { Deletion } from '../block/delete-from-block.ts'
import { HeadMemory } from '../head/head-memory.ts'
import type { HeadDescriptor } from '../head/head-memory.ts'
import { HeadReader } from '../select/head-reader.ts'

/** Intervals of series of the head, both ends included; plain data. */
export interface HeadIntervals {
  readonly refs: Uint32Array
  readonly firstMs: Float64Array
  readonly lastMs: Float64Array
}

/**
 * What a deletion takes of the head: per series and selector the part of its time that the series has by now. Runs in any thread, and holds up no
 * append.
 */
export function findInHead(descriptor: HeadDescriptor, deletion: Deletion): HeadIntervals {
  const reader = new HeadReader(descriptor)
  try {
    const { minTime, maxTime, lateMinTime, lateMaxTime } = new HeadMemory(descriptor)
    const firstMs = Math.max(deletion.minTimeMs, Math.min(minTime, lateMinTime))
    // Never up to a sample that is not committed: it may be taken back and come again.
    const lastMs = Math.min(deletion.maxTimeMs, Math.max(maxTime, lateMaxTime))
    const parts = matchersOf(deletion).map((matchers) => reader.selectLastTimes(matchers, firstMs, lastMs))
    const count = parts.reduce((sum, { refs }) => sum + refs.length, 0)
    const found = { refs: new Uint32Array(count), firstMs: new Float64Array(count).fill(firstMs), lastMs: new Float64Array(count) }
    let at = 0
    for (const { refs, lastTimesMs } of parts) {
      found.refs.set(refs, at)
      for (let i = 0; i < refs.length; i++) found.lastMs[at + i] = Math.min(lastMs, lastTimesMs[i]!)
      at += refs.length
    }
    return found
  } finally {
    reader.close()
  }
}
