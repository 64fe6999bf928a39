import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { ChunkPool } from './frame-chunk.ts'
import { sampleFrame } from './frame-header.ts'
import { FrameScanner } from './frame-scanner.ts'
import type { Segment } from './segment-files.ts'
import type { SegmentWindow } from './segment-reader.ts'

/** What the walk over a segment's last frames found. */
export interface SegmentTail {
  /** Sequence of the last sample frame; one less than the segment's first if there is none. */
  readonly lastSequence: number
  /** Undefined if damage took some of the count. */
  readonly samples: number | undefined
  /** Behind the last undamaged frame, and what the file has. */
  readonly wholeBytes: number
  readonly fileBytes: number
}

/** Walks a whole segment, as at the start of the agent. Throws what the file system says. */
export function scanSegment({ path, firstSequence }: Segment): SegmentTail {
  const bytes = readFileSync(path)
  let lastSequence = firstSequence - 1
  let samples = 0
  let damagedFrom = Infinity
  const scanner = new FrameScanner(bytes, 0, ({ offset }) => {
    damagedFrom = Math.min(damagedFrom, offset)
  })
  while (scanner.next()) {
    if (scanner.header.kind !== sampleFrame) continue
    lastSequence = scanner.header.sequence
    samples += scanner.header.count
  }
  const { wholeBytes } = scanner
  return { lastSequence, samples: damagedFrom < wholeBytes ? undefined : samples, wholeBytes, fileBytes: bytes.length }
}

export interface FrameCount {
  frames: number
  samples: number
}

/** Sample frames of a segment whose sequence counts, and those of which only the header is undamaged; a file that cannot be read has none. */
export function countFrames(segment: Segment, counts: (sequence: number) => boolean): { whole: FrameCount; damaged: FrameCount } {
  const whole = { frames: 0, samples: 0 }
  const damaged = { frames: 0, samples: 0 }
  let bytes: Uint8Array
  try {
    bytes = readFileSync(segment.path)
  } catch {
    return { whole, damaged }
  }
  const scanner = new FrameScanner(bytes, 0, ({ frame }) => {
    if (frame?.kind !== sampleFrame || !counts(frame.sequence)) return
    damaged.frames++
    damaged.samples += frame.samples
  })
  while (scanner.next()) {
    if (scanner.header.kind !== sampleFrame || !counts(scanner.header.sequence)) continue
    whole.frames++
    whole.samples += scanner.header.count
  }
  return { whole, damaged }
}

/**
 * Reads up to `bytes` of a segment from `offset` on into a chunk of the pool. `isWritten`: frames are still appended, and the file may end in half
 * of one. The inode tells whether it is the file that was read before. Throws what the file system says.
 */
export async function readWindow(
  segment: Segment,
  isWritten: boolean,
  offset: number,
  bytes: number,
  pool: ChunkPool,
): Promise<{ window: SegmentWindow; inode: number }> {
  const file = await open(segment.path, 'r')
  try {
    // The file may have been packed since its size was noted: what is read, and whether it is the end, is asked of the file that is open.
    const { size: fileBytes, ino } = await file.stat()
    const size = isWritten ? segment.bytes : Math.min(fileBytes, segment.isPacked ? Infinity : segment.bytes)
    const wanted = Math.max(0, Math.min(bytes, size - offset))
    const chunk = pool.take(wanted)
    let length = 0
    while (length < wanted) {
      const { bytesRead } = await file.read(chunk.bytes, length, wanted - length, offset + length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return { window: { chunk, length, isEnd: offset + length >= size || length < wanted }, inode: ino }
  } finally {
    await file.close()
  }
}
