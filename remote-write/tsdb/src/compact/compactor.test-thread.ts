import type { CompactionAnswer, CompactionTask } from './compaction-protocol.ts'
import { doCompaction } from './compaction-work.ts'

/** In the place of a compaction thread: the same work in the thread of the test, without the start of another one. */
export const testThread = {
  run: (task: CompactionTask): Promise<CompactionAnswer> => doCompaction(task),
  end: (): Promise<void> => Promise.resolve(),
}
