import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { checksumOf, encodeChecksums, encodeHeader, measure, pieceBytes, StateError } from './state-format.ts'
import type { StateContents } from './state-format.ts'
import { piecesOf } from './state-sections.ts'
import type { SectionCollector } from './state-sections.ts'

/** Written by one call. */
const piecesPerWrite = 8

/** A state that is ready to be written. */
export interface StateFileWriter {
  readonly bytes: number
  /** Writes a new file and waits for the disk; the file stays, unfinished, when it rejects. Memory: the checksums. */
  write(path: string): Promise<void>
}

export function createStateFile(contents: Omit<StateContents, 'small' | 'large'>, sections: SectionCollector): StateFileWriter {
  const whole: StateContents = { ...contents, small: sections.small, large: sections.large }
  const header = encodeHeader(whole)
  const { fileBytes } = measure(whole, header.length)
  return {
    bytes: fileBytes,
    async write(path) {
      const file = await open(path, 'w')
      try {
        await writeAll(file, [header])
        const sums: number[] = []
        for (const views of [sections.smallViews, sections.largeViews]) await writePieces(file, views, sums)
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

async function writePieces(file: FileHandle, views: readonly Uint8Array[], sums: number[]): Promise<void> {
  let waiting: Uint8Array[] = []
  let count = 0
  for (const piece of piecesOf(views, pieceBytes)) {
    sums.push(checksumOf(piece))
    for (const view of piece) waiting.push(view)
    if (++count % piecesPerWrite !== 0) continue
    await writeAll(file, waiting)
    waiting = []
  }
  await writeAll(file, waiting)
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
