import { syncDirectory } from '@narthex/service/sync-directory'
import { mkdir, open, rename, rm } from 'node:fs/promises'

/** A new file that is written from its start to its end. */
export interface CheckpointFile {
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when the disk has it. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** The file operations of a checkpoint, one by one, so that a test can end the process between any two. */
export interface CheckpointFiles {
  makeDirectory(path: string): Promise<void>
  create(path: string): Promise<CheckpointFile>
  /** Resolves when the disk has the names in the directory. */
  syncDirectory(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** A file, or a directory with all that is in it; one that is not there is no error. */
  remove(path: string): Promise<void>
}

/** All work is done in libuv's pool. */
export const checkpointFiles: CheckpointFiles = {
  async makeDirectory(path) {
    await mkdir(path)
  },
  async create(path) {
    const file = await open(path, 'wx')
    return {
      async write(bytes) {
        for (let from = 0; from < bytes.length;) from += (await file.write(bytes, from)).bytesWritten
      },
      sync: () => file.sync(),
      close: () => file.close(),
    }
  },
  syncDirectory,
  rename,
  remove: (path) => rm(path, { recursive: true, force: true }),
}
