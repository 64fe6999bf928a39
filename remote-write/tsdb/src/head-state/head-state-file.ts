import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '@narthex/service/logger'
import { syncDirectory } from '@narthex/service/sync-directory'
import type { BlockSet } from '../compact/block-set.ts'
import type { DiskGuard } from '../disk-guard.ts'
import type { HeadChunkWriter } from '../head-chunks/head-chunk-writer.ts'
import type { Steps } from '../steps.ts'
import { describeDirectory, findDifference } from './directory-state.ts'
import { restoreParts, saveParts } from './head-state.ts'
import type { ChunkFileList, HeadParts } from './head-state.ts'
import { StateFileReader } from './read-state-file.ts'
import { StateError } from './state-format.ts'
import type { StateContents } from './state-format.ts'
import { layoutText } from './state-layout.ts'
import { SectionCollector } from './state-sections.ts'
import { createStateFile } from './write-state-file.ts'

/** In the data directory. */
export const headStateDirectoryName = 'head_state'
/** Of the head's memory: a state of more is not for a head with a lower ceiling, which would have refused some of it. */
const shareOfMemory = 0.8

/** What a head depends on beside its directory. */
export interface HeadStateOptions {
  readonly version: string
  readonly chunkRangeMs: number
  readonly retentionMs: number
  readonly memoryBytesMax: number
  readonly customBuckets: boolean
}

export interface HeadStateFileOptions extends HeadStateOptions {
  /** The data directory. */
  readonly directory: string
  readonly blocks: BlockSet
  readonly disk: DiskGuard
  readonly log: Logger
  /** None is written, and one that is there is not taken over. */
  readonly isOff: boolean
}

/** Whether a data directory has a state, good or not. */
export function mayHaveHeadState(directory: string): boolean {
  return existsSync(join(directory, headStateDirectoryName, 'state'))
}

/** What a start has to know of a state that was taken over. */
export interface TakenState {
  readonly chunkFiles: ChunkFileList
  readonly seconds: number
}

export interface TakeResult {
  /** With the state, or such that nothing is in yet. */
  readonly parts: HeadParts
  readonly taken: TakenState | undefined
}

/**
 * The head's state on the disk, between a clean stop and the next start, which takes it instead of reading the logs. It is of one state of the
 * directory: any other, another version or other options, and it is deleted. It is taken at most once, before anything is written.
 */
export class HeadStateFile {
  readonly #options: HeadStateFileOptions
  readonly #directory: string
  readonly #path: string
  /** A file that was taken or is of no use is on its way. */
  #removal: Promise<void> = Promise.resolve()

  constructor(options: HeadStateFileOptions) {
    this.#options = options
    this.#directory = join(options.directory, headStateDirectoryName)
    this.#path = join(this.#directory, 'state')
  }

  /** Takes over what is there, if it is good, into parts that `createParts` makes. From its end on the file is gone. `mayWait` as for an opening. */
  *take(createParts: () => HeadParts, mayWait: boolean): Steps<TakeResult> {
    const { log, isOff } = this.#options
    const parts = createParts()
    if (!existsSync(this.#directory)) return { parts, taken: undefined }
    const startMs = performance.now()
    let chunkFiles: ChunkFileList | undefined
    let isSpoilt = false
    try {
      if (!isOff && existsSync(this.#path)) chunkFiles = yield* this.#read(parts, mayWait, () => (isSpoilt = true))
    } catch (cause) {
      log.warn("The head's state cannot be used: the logs are read", { file: this.#path, err: messageOf(cause) })
    }
    if (!this.#remove()) chunkFiles = undefined
    if (chunkFiles === undefined) return { parts: isSpoilt ? createParts() : parts, taken: undefined }
    const seconds = (performance.now() - startMs) / 1000
    log.info("The head's state is taken over", { series: parts.head.seriesCount, duration: `${seconds.toFixed(3)}s` })
    return { parts, taken: { chunkFiles, seconds } }
  }

  /** After everything that the parts write to is closed, and before anybody else may write: never rejects, and what fails is logged. */
  async write(parts: HeadParts, chunkFiles: HeadChunkWriter, lacks: string | undefined): Promise<void> {
    const { log, disk, isOff } = this.#options
    if (isOff) return
    const unfinished = `${this.#path}.tmp`
    await this.#removal
    try {
      const reason = lacks ?? parts.head.unsettled
      if (reason !== undefined) {
        log.info("The head's state is not written: the next start reads the logs", { reason })
        return
      }
      const sections = new SectionCollector()
      saveParts(sections, parts, chunkFiles)
      const file = createStateFile(this.#describe(parts), sections)
      if (!disk.hasRoomFor(file.bytes)) throw new StateError(`want room for ${file.bytes} bytes on the disk, it has ${disk.freeBytes}`)
      const startMs = performance.now()
      mkdirSync(this.#directory, { recursive: true })
      await file.write(unfinished)
      await rename(unfinished, this.#path)
      await syncDirectory(this.#directory)
      await syncDirectory(this.#options.directory)
      const duration = `${((performance.now() - startMs) / 1000).toFixed(3)}s`
      log.info("The head's state is written", { series: parts.head.seriesCount, bytes: file.bytes, duration })
    } catch (cause) {
      log.warn("The head's state is not written: the next start reads the logs", { file: this.#path, err: messageOf(cause) })
      await rm(this.#directory, { recursive: true, force: true }).catch(() => {})
    }
  }

  /** Undefined: it is of another time. Before the parts are touched `onTouch` is called. */
  *#read(parts: HeadParts, mayWait: boolean, onTouch: () => void): Steps<ChunkFileList | undefined> {
    const { log } = this.#options
    const file = new StateFileReader(this.#path)
    try {
      const reason = this.#findDifference(file.contents, parts)
      if (reason !== undefined) {
        log.info("The head's state is of another time: the logs are read", { reason })
        return undefined
      }
      const sections = yield* file.readSmall(mayWait)
      onTouch()
      const chunkFiles = yield* restoreParts(sections, parts)
      yield* file.readLarge(sections, mayWait)
      return chunkFiles
    } finally {
      file.close()
    }
  }

  #describe(parts: HeadParts): Omit<StateContents, 'small' | 'large'> {
    const { version, directory, blocks, chunkRangeMs, retentionMs, memoryBytesMax, customBuckets } = this.#options
    return {
      version,
      layout: layoutText(),
      options: { chunkRangeMs, retentionMs, customBuckets, memoryBytesMax, exemplarsMax: parts.exemplars.ring.capacity },
      usedBytes: parts.head.memory.usedBytes,
      directory: describeDirectory(directory, blocks.blocks),
    }
  }

  #findDifference(contents: StateContents, parts: HeadParts): string | undefined {
    const now = this.#describe(parts)
    if (contents.version !== now.version) return `it is of version ${contents.version}, this is ${now.version}`
    if (contents.layout !== now.layout) return 'it is of another layout of the head'
    for (const [name, value] of Object.entries(now.options)) {
      const before = contents.options[name]
      if (name === 'memoryBytesMax' && (Number(before) <= Number(value) || contents.usedBytes <= Number(value) * shareOfMemory)) continue
      if (before !== value) return `${name} was ${before}, is ${value}`
    }
    return findDifference(contents.directory, now.directory)
  }

  /** From here on no start finds it, whatever ends this process; false if that failed. The bytes go while other things are done. */
  #remove(): boolean {
    const tell = (cause: unknown): void => {
      this.#options.log.warn("The head's state cannot be deleted", { dir: this.#directory, err: messageOf(cause) })
    }
    try {
      if (existsSync(this.#path)) renameSync(this.#path, `${this.#path}.taken`)
    } catch (cause) {
      tell(cause)
      return false
    }
    this.#removal = rm(this.#directory, { recursive: true, force: true }).catch(tell)
    return true
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
