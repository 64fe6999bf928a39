import { readFileSync } from 'node:fs'
import type { BlockMeta } from '../block/block-meta.ts'
import { isUlid } from '../block/ulid.ts'

/** A list of ULIDs; larger files are none. */
const fileBytesMax = 16 * 1024 * 1024

/**
 * The blocks that may be compacted while a Thanos sidecar copies them (`--storage.tsdb.delay-compact-file.path`): `path` is the file that it keeps,
 * `{"version":1,"uploaded":["01…",…]}`. Blocks that are themselves made of others are not copied and not waited for. `blocks` are in the order of their
 * times, and those from the first that has to wait on are left out, so that nothing is merged over a gap. A file that cannot be read says nothing
 * of any block: they wait.
 */
export function selectUploaded<Block extends Pick<BlockMeta, 'ulid' | 'compaction'>>(
  blocks: readonly Block[],
  path: string,
  onUnreadable: (reason: string) => void,
): readonly Block[] {
  if (!blocks.some(isCutFromHead)) return blocks
  let uploaded: ReadonlySet<string>
  try {
    uploaded = readUploaded(path)
  } catch (error) {
    onUnreadable(error instanceof Error ? error.message : String(error))
    uploaded = new Set()
  }
  const first = blocks.findIndex((block) => isCutFromHead(block) && !uploaded.has(block.ulid))
  return first < 0 ? blocks : blocks.slice(0, first)
}

function isCutFromHead({ compaction }: Pick<BlockMeta, 'compaction'>): boolean {
  return compaction.level <= 1
}

/** Throws an error with one line. */
function readUploaded(path: string): ReadonlySet<string> {
  const text = readFileSync(path, 'utf8')
  if (text.length > fileBytesMax) throw new Error(`cannot read ${path}: want at most ${fileBytesMax} bytes, got ${text.length}`)
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (cause) {
    throw new Error(`cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
  const { version, uploaded } = (typeof content === 'object' && content !== null ? content : {}) as Record<string, unknown>
  if (version !== 1) throw new Error(`cannot read ${path}: want version 1, got ${JSON.stringify(version)}`)
  // Before its first block a shipper writes null.
  const ulids: unknown = uploaded ?? []
  if (!Array.isArray(ulids) || !ulids.every((ulid) => typeof ulid === 'string' && isUlid(ulid))) {
    throw new Error(`cannot read ${path}: want a list of block names under "uploaded"`)
  }
  return new Set(ulids as string[])
}
