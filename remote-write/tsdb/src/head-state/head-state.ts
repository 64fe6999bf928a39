import type { ExemplarStorage } from '../exemplars/exemplar-storage.ts'
import type { Head } from '../head/head.ts'
import { readFilesState } from '../head-chunks/head-chunk-writer.ts'
import type { HeadChunkWriter, HeadChunkWriterOptions } from '../head-chunks/head-chunk-writer.ts'
import type { MetadataLog } from '../metadata/metadata-log.ts'
import type { Steps } from '../steps.ts'
import type { LogReferences } from '../wal/log-references.ts'
import type { StateReader, StateWriter } from './state-access.ts'

/** What a log is read into. */
export interface HeadParts {
  readonly head: Head
  readonly exemplars: ExemplarStorage
  readonly metadata: MetadataLog
  readonly references: LogReferences
}

/** Files of head chunks, as `HeadChunkWriter` takes them. */
export type ChunkFileList = HeadChunkWriterOptions['files']

// All that has a state, at one place. What a part puts, it gets back: a new field of one of them goes into its `saveState`, or into the list of what a
// start makes anew in head-state-fields.test.ts. When the meaning of what is put changes, `stateVersion` goes up.

export function saveParts(state: StateWriter, { head, exemplars, metadata, references }: HeadParts, chunkFiles: HeadChunkWriter): void {
  head.saveState(state.part('head'))
  exemplars.ring.saveState(state.part('exemplars'))
  metadata.saveState(state.part('metadataLog'))
  references.saveState(state.part('references'))
  chunkFiles.saveState(state.part('chunkFiles'))
}

/** Into parts that were not used yet. They must not be used before their memory is read, nor if this throws. */
export function* restoreParts(state: StateReader, { head, exemplars, metadata, references }: HeadParts): Steps<ChunkFileList> {
  head.restoreState(state.part('head'))
  yield
  references.restoreState(state.part('references'))
  metadata.restoreState(state.part('metadataLog'))
  yield
  yield* exemplars.ring.restoreState(state.part('exemplars'))
  return readFilesState(state.part('chunkFiles'))
}
