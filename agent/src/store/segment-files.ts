import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const suffix = '.frames'

/** One file of the log. Sequences are of sample frames; the next segment's first minus one is this one's last. */
export interface Segment {
  readonly path: string
  readonly firstSequence: number
  bytes: number
  /** Samples in it; undefined if it was written by an earlier run. */
  samples: number | undefined
}

export function segmentPath(directory: string, firstSequence: number): string {
  return join(directory, String(firstSequence).padStart(16, '0') + suffix)
}

/** The segments of a directory, oldest first. Other files are left alone. */
export function listSegments(directory: string): Segment[] {
  const segments: Segment[] = []
  for (const name of readdirSync(directory)) {
    if (!/^\d{16}\.frames$/.test(name)) continue
    const path = join(directory, name)
    segments.push({ path, firstSequence: Number(name.slice(0, 16)), bytes: statSync(path).size, samples: undefined })
  }
  return segments.sort((a, b) => a.firstSequence - b.firstSequence)
}
