import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FrameLog } from '../frame-log.ts'
import type { FrameLogOptions } from '../frame-log.ts'
import type { FrameRef } from '../sample-frame.ts'

/** Remote, reason, frames, samples. */
export type RecordedLoss = [string, string, number, number | undefined]

/** For tests: frame logs that share a temporary directory, one after the other, and what they told. */
export class TestLogs {
  readonly directory = mkdtempSync(join(tmpdir(), 'narthex-log-'))
  losses: RecordedLoss[] = []
  problems: string[] = []
  readonly #defaults: Partial<FrameLogOptions>
  readonly #open = new Set<FrameLog>()

  /** The options are those of every log; the remote is `a` unless they say another. */
  constructor(defaults: Partial<FrameLogOptions> = {}) {
    this.#defaults = defaults
  }

  open(options: Partial<FrameLogOptions> = {}): FrameLog {
    const events = {
      onLoss: (...loss: RecordedLoss) => void this.losses.push(loss),
      onProblem: (text: string) => void this.problems.push(text),
    }
    const log = new FrameLog({ directory: this.directory, remotes: ['a'], events, ...this.#defaults, ...options })
    this.#open.add(log)
    return log
  }

  async close(log: FrameLog): Promise<void> {
    this.#open.delete(log)
    await log.close()
  }

  /** Names of the segments on disk, the oldest first. */
  segmentNames(): string[] {
    return readdirSync(this.directory)
      .filter((name) => name.endsWith('.frames'))
      .sort()
  }

  /** Closes what is open and removes the directory. */
  async end(): Promise<void> {
    await Promise.all([...this.#open].map((log) => this.close(log)))
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Everything that a remote's reader gives until it is up to date. */
export async function* readFrames(log: FrameLog, remote = 'a'): AsyncGenerator<FrameRef, void> {
  const reader = log.reader(remote)
  for (;;) {
    const frame = reader.tryNext()
    if (frame !== undefined) yield frame
    else if (reader.isBehind) await reader.load()
    else return
  }
}

export async function readSequences(log: FrameLog, remote = 'a'): Promise<number[]> {
  const sequences: number[] = []
  for await (const { sequence } of readFrames(log, remote)) sequences.push(sequence)
  return sequences
}
