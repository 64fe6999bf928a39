import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { lateHint } from '../block/block-meta.ts'
import type { LoadedBlock } from '../compact/block-set.ts'

/** Folders of a data directory whose files the head is made of, or that names in it are of. */
const folders = ['wal', 'wbl', 'chunks_head']

/**
 * What a head depends on in a data directory: each file of the logs and of head chunks with its size, each block with its times. Files of logs and chunks
 * only grow or go, so the same names and sizes are the same bytes.
 */
export function describeDirectory(directory: string, blocks: readonly LoadedBlock[]): string[] {
  const lines: string[] = []
  for (const folder of folders) {
    if (!existsSync(join(directory, folder))) continue
    for (const entry of readdirSync(join(directory, folder), { withFileTypes: true, recursive: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      lines.push(`${relative(directory, path)} ${statSync(path).size}`)
    }
  }
  for (const { meta } of blocks) {
    const kind = meta.compaction.hints?.includes(lateHint) === true ? 'late' : 'block'
    lines.push(`${meta.ulid} ${kind} ${meta.minTime} ${meta.maxTime}`)
  }
  return lines.sort()
}

/** The first difference in words, undefined if there is none. */
export function findDifference(before: readonly string[], now: readonly string[]): string | undefined {
  const old = new Map(before.map(splitLine))
  for (const [name, what] of now.map(splitLine)) {
    const was = old.get(name)
    old.delete(name)
    if (was === undefined) return `${name} is new`
    if (was !== what) return `${name} has changed: ${was}, now ${what}`
  }
  const [gone] = old.keys()
  return gone === undefined ? undefined : `${gone} is gone`
}

function splitLine(line: string): [name: string, what: string] {
  const space = line.indexOf(' ')
  return [line.slice(0, space), line.slice(space + 1)]
}
