import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BlockReader } from '../block/block-reader.ts'
import type { PageCache } from '../block/page-cache.ts'
import { isUlid } from '../block/ulid.ts'

/** Why a data directory cannot be read or a file not be imported; the message is one line, in promtool's words where it has some. */
export class ToolError extends Error {
  override name = 'ToolError'
}

/**
 * The blocks of a data directory by their begin, opened for reading only: nothing is locked, written or removed. Blocks that cannot be
 * opened are an error, unless a later block replaced them. `close` is the caller's.
 */
export function openBlocks(directory: string, cache: PageCache): BlockReader[] {
  const names = listBlockNames(directory)
  const blocks: BlockReader[] = []
  const broken = new Map<string, unknown>()
  for (const name of names) {
    try {
      blocks.push(BlockReader.open(join(directory, name), cache))
    } catch (error) {
      broken.set(name, error)
    }
  }
  for (const { meta } of blocks) for (const { ulid } of meta.compaction.parents ?? []) broken.delete(ulid)
  if (broken.size > 0) {
    closeBlocks(blocks)
    const texts = [...broken].map(([name, error]) => `corrupted block ${name}: ${error instanceof Error ? error.message : String(error)}`)
    throw new ToolError(texts.length === 1 ? texts[0]! : `${texts.length} errors: ${texts.join('; ')}`)
  }
  return blocks.sort((a, b) => a.meta.minTime - b.meta.minTime || (a.meta.ulid < b.meta.ulid ? -1 : 1))
}

export function closeBlocks(blocks: readonly BlockReader[]): void {
  for (const block of blocks) block.close()
}

/** Bytes of all files of a block. */
export function measureBlock({ directory, index, chunks }: BlockReader): number {
  const sizeOf = (name: string): number => statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0
  return index.file.size + chunks.byteLength + sizeOf('tombstones') + sizeOf('meta.json')
}

function listBlockNames(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && isUlid(entry.name))
      .map(({ name }) => name)
      .sort()
  } catch (cause) {
    throw new ToolError(`opening the db dir: ${describeFileError('stat', directory, cause)}`, { cause })
  }
}

/** `open data/wal: no such file or directory` */
export function describeFileError(action: string, path: string, error: unknown): string {
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or directory',
    EACCES: 'permission denied',
    ENOTDIR: 'not a directory',
    EISDIR: 'is a directory',
    EROFS: 'read-only file system',
    ENOSPC: 'no space left on device',
  }
  const { code, message } = error as NodeJS.ErrnoException
  return `${action} ${path}: ${words[code ?? ''] ?? message}`
}
