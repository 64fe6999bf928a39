import { readdirSync } from 'node:fs'
import { join } from 'node:path'

export interface LogFile {
  /** Number of a segment, or of the last segment that a checkpoint covers. */
  readonly index: number
  readonly path: string
}

export interface LogFiles {
  /** The newest checkpoint. */
  readonly checkpoint: LogFile | undefined
  readonly segmentsOfCheckpoint: readonly LogFile[]
  /** The segments after the checkpoint, in order. */
  readonly segments: readonly LogFile[]
  /** What a finished checkpoint has left behind: segments that it covers, then older checkpoints. */
  readonly coveredSegments: readonly LogFile[]
  readonly olderCheckpoints: readonly LogFile[]
  /** Checkpoints that were not finished. */
  readonly unfinished: readonly string[]
  readonly nextSegment: number
}

/** The files of a log; other names in the directory are left alone. */
export function listLog(directory: string): LogFiles {
  const names = readdirSync(directory)
  const checkpoints = names
    .filter((name) => /^checkpoint\.\d+$/.test(name))
    .map((name) => ({ index: Number(name.slice('checkpoint.'.length)), path: join(directory, name) }))
    .sort((a, b) => a.index - b.index)
  const checkpoint = checkpoints.at(-1)
  const covered = checkpoint?.index ?? -1
  const all = listSegments(directory)
  return {
    checkpoint,
    segmentsOfCheckpoint: checkpoint === undefined ? [] : listSegments(checkpoint.path),
    segments: all.filter(({ index }) => index > covered),
    coveredSegments: all.filter(({ index }) => index <= covered),
    olderCheckpoints: checkpoints.slice(0, -1),
    unfinished: names.filter((name) => /^checkpoint\.\d+\.tmp$/.test(name)).map((name) => join(directory, name)),
    nextSegment: Math.max(all.at(-1)?.index ?? -1, covered) + 1,
  }
}

/** The segments of one directory in order. */
export function listSegments(directory: string): LogFile[] {
  return readdirSync(directory)
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ index: Number(name), path: join(directory, name) }))
    .sort((a, b) => a.index - b.index)
}
