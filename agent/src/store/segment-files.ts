import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { packedSuffix } from './segment-packer.ts'

const suffix = '.frames'

/** One file of the log. Sequences are of sample frames; the next segment's first minus one is this one's last. */
export interface Segment {
  readonly path: string
  readonly firstSequence: number
  bytes: number
  /** Samples in it; undefined if it was written by an earlier run. */
  samples: number | undefined
  /** On the clock of `performance.now()`, which nobody sets; Infinity while it is written. */
  lastWriteMs: number
  /** It was compressed, or tried to. */
  isPacked: boolean
}

export function segmentPath(directory: string, firstSequence: number): string {
  return join(directory, String(firstSequence).padStart(16, '0') + suffix)
}

/** The segments of a directory, oldest first. Other files are left alone. */
export function listSegments(directory: string): Segment[] {
  const segments: Segment[] = []
  for (const name of readdirSync(directory)) {
    // What a death in the middle of packing left; the segment itself is whole.
    if (name.endsWith(packedSuffix)) rmSync(join(directory, name), { force: true })
    if (!/^\d{16}\.frames$/.test(name)) continue
    const path = join(directory, name)
    const { size, mtimeMs } = statSync(path)
    segments.push({
      path,
      firstSequence: Number(name.slice(0, 16)),
      bytes: size,
      samples: undefined,
      lastWriteMs: performance.now() - Math.max(0, Date.now() - mtimeMs),
      isPacked: false,
    })
  }
  return segments.sort((a, b) => a.firstSequence - b.firstSequence)
}
