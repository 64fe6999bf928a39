import { randomBytes } from 'node:crypto'
import { link, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory } from '@narthex/service/sync-directory'
import { metaFileName } from '../block/block-meta.ts'
import { tombstonesFileName } from '../block/tombstones.ts'

export const snapshotsDirectoryName = 'snapshots'
/** Of a snapshot that is not whole. */
export const unfinishedSnapshotSuffix = '.tmp'

/** `20261128T133414Z-47d729ffaf3cd854`, as Prometheus names them. */
export function makeSnapshotName(timeMs: number): string {
  const time = new Date(timeMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const random = randomBytes(8)
  random[0]! &= 0x7f
  return `${time}-${random.toString('hex')}`
}

/**
 * Makes `snapshots/NAME` in the data directory: the files of the blocks, which never change, under second names, and what `writeMore` writes. It
 * has its name when all of it is on the disk; before, and after a failure that could not be cleaned up, it is `NAME.tmp`.
 */
export async function writeSnapshot(
  directory: string,
  name: string,
  blocks: readonly string[],
  writeMore: (unfinished: string) => Promise<void>,
): Promise<void> {
  const snapshots = join(directory, snapshotsDirectoryName)
  const unfinished = join(snapshots, name + unfinishedSnapshotSuffix)
  await mkdir(unfinished, { recursive: true })
  try {
    for (const block of blocks) await linkBlock(join(directory, block), join(unfinished, block))
    await writeMore(unfinished)
    await syncDirectory(unfinished)
    await rename(unfinished, join(snapshots, name))
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true }).catch(() => undefined)
    throw cause
  }
  await syncDirectory(snapshots)
  await syncDirectory(directory)
}

/** Only what belongs to a block: not the notes that others leave there. */
async function linkBlock(from: string, to: string): Promise<void> {
  const chunks = join(to, 'chunks')
  await mkdir(chunks, { recursive: true })
  for (const name of [metaFileName, 'index']) await link(join(from, name), join(to, name))
  try {
    await link(join(from, tombstonesFileName), join(to, tombstonesFileName))
  } catch (cause) {
    // No file means that nothing is deleted.
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
  }
  for (const name of await readdir(join(from, 'chunks'))) await link(join(from, 'chunks', name), join(chunks, name))
  await syncDirectory(chunks)
  await syncDirectory(to)
}
