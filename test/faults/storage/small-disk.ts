import { spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { makeTemporaryDirectory } from '../../kit/process.ts'

/** A file system of a few megabytes of its own, and a file on it that takes the room from others. */
export interface SmallDisk {
  readonly path: string
  /** Leaves at most `bytes` of room. */
  fill(bytes: number): void
  /** Takes whatever room there is, again and again until `free`. */
  keepFull(): void
  /** Gives the room back. */
  free(): void
  remove(): void
}

/** The process may not mount. */
export class NoSmallDiskError extends Error {}

/** Mounts a tmpfs, which needs root. Throws `NoSmallDiskError` where that is not allowed. */
export function mountSmallDisk(megabytes: number): SmallDisk {
  const mount = makeTemporaryDirectory('narthex-small-disk-')
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', mount.path]).status !== 0) {
    mount.remove()
    throw new NoSmallDiskError('cannot mount a small file system: that needs root')
  }
  const ballast = join(mount.path, 'ballast')
  const file = openSync(ballast, 'w')
  let written = 0
  let timer: NodeJS.Timeout | undefined
  const fill = (bytes: number): void => {
    const { bavail, bsize } = statfsSync(mount.path)
    for (let wanted = Math.max(0, bavail * bsize - bytes); wanted > 0;) {
      let count = 0
      try {
        count = writeSync(file, piece, 0, Math.min(wanted, piece.length), written)
      } catch {
        return
      }
      written += count
      wanted -= count
    }
  }
  return {
    path: mount.path,
    fill,
    keepFull() {
      fill(0)
      timer ??= setInterval(() => fill(0), 1)
    },
    free() {
      clearInterval(timer)
      timer = undefined
      ftruncateSync(file, 0)
      written = 0
    },
    remove() {
      clearInterval(timer)
      closeSync(file)
      rmSync(ballast, { force: true })
      spawnSync('umount', ['-l', mount.path])
      mount.remove()
    },
  }
}

const piece = Buffer.alloc(256 * 1024, 1)
