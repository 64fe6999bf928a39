import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { checksumOf, encodeChecksums, encodeHeader, measure, pieceBytes, StateError } from './state-format.ts'
import type { StateContents } from './state-format.ts'
import { piecesOf } from './state-sections.ts'
import type { SectionCollector } from './state-sections.ts'

/** Written by one call. */
const piecesPerWrite = 8
/** Calls after which the disk shall have all, so that the end does not come as a surprise. */
const writesPerSync = 8
/** Then a writing is given up, or as soon as it is foreseen: a container's runtime waits for half a minute. */
export const stateWriteMsMax = 20_000
/** Before, nothing is foreseen. */
const foreseeFromMs = 2_000

/** A state that is ready to be written. */
export interface StateFileWriter {
  readonly bytes: number
  /**
   * Writes a new file and waits for the disk, for `stateWriteMsMax` at most (`now`: a clock of milliseconds); the file stays, unfinished, when it rejects.
   * Memory: the checksums.
   */
  write(path: string, now?: () => number): Promise<void>
}

export function createStateFile(contents: Omit<StateContents, 'small' | 'large'>, sections: SectionCollector): StateFileWriter {
  const whole: StateContents = { ...contents, small: sections.small, large: sections.large }
  const header = encodeHeader(whole)
  const { fileBytes } = measure(whole, header.length)
  return {
    bytes: fileBytes,
    async write(path, now = () => performance.now()) {
      const startMs = now()
      const file = await open(path, 'w')
      try {
        await writeAll(file, [header])
        const sums: number[] = []
        for (const views of [sections.smallViews, sections.largeViews]) {
          await writePieces(file, views, sums, () => checkTime(now() - startMs, sums.length * pieceBytes, fileBytes))
        }
        await writeAll(file, [encodeChecksums(sums)])
        const { size } = await file.stat()
        if (size !== fileBytes) throw new StateError(`want ${fileBytes} bytes, got ${size}`)
        await file.sync()
      } finally {
        await file.close()
      }
    },
  }
}

/** `onSynced` is called when the disk has what was written so far. */
async function writePieces(file: FileHandle, views: readonly Uint8Array[], sums: number[], onSynced: () => void): Promise<void> {
  let waiting: Uint8Array[] = []
  let count = 0
  for (const piece of piecesOf(views, pieceBytes)) {
    sums.push(checksumOf(piece))
    for (const view of piece) waiting.push(view)
    if (++count % piecesPerWrite !== 0) continue
    await writeAll(file, waiting)
    waiting = []
    if (count % (piecesPerWrite * writesPerSync) !== 0) continue
    await file.datasync()
    onSynced()
  }
  await writeAll(file, waiting)
}

/** Throws if it takes too long, or will. */
function checkTime(tookMs: number, writtenBytes: number, fileBytes: number): void {
  if (tookMs < foreseeFromMs) return
  const wholeMs = (tookMs * fileBytes) / Math.min(writtenBytes, fileBytes)
  if (wholeMs <= stateWriteMsMax) return
  const text = `the disk took ${writtenBytes} of ${fileBytes} bytes in ${(tookMs / 1000).toFixed(1)} s`
  throw new StateError(`${text}: want all in ${stateWriteMsMax / 1000} s`)
}

async function writeAll(file: FileHandle, views: readonly Uint8Array[]): Promise<void> {
  for (let left = views; left.length > 0;) {
    let { bytesWritten } = await file.writev(left)
    const rest: Uint8Array[] = []
    for (const view of left) {
      const taken = Math.min(view.length, bytesWritten)
      bytesWritten -= taken
      if (taken < view.length) rest.push(view.subarray(taken))
    }
    left = rest
  }
}
