import { close, closeSync, fstatSync, openSync, readSync, readv, readvSync } from 'node:fs'
import type { Steps } from '../steps.ts'
import { checksumOf, decodeChecksums, decodeHeader, pieceBytes, StateError } from './state-format.ts'
import type { StateContents, StateExtent } from './state-format.ts'
import { piecesOf, SectionReader } from './state-sections.ts'

/** Read ahead by other threads. */
const piecesAhead = 6

/** A file of a state, read piece by piece; what does not fit its checksum throws a `StateError`. */
export class StateFileReader {
  readonly contents: StateContents
  readonly #extent: StateExtent
  readonly #fd: number
  readonly #sums: readonly number[]
  readonly #reads = new Set<Promise<void>>()

  /** Throws a `StateError`, or the system's error. */
  constructor(path: string) {
    this.#fd = openSync(path, 'r')
    try {
      const { size } = fstatSync(this.#fd)
      const [contents, extent] = decodeHeader((from, length) => this.#readAt(from, length), size)
      if (extent.fileBytes !== size) throw new StateError(`want ${extent.fileBytes} bytes, got ${size}`)
      this.contents = contents
      this.#extent = extent
      const from = extent.headerBytes + extent.smallBytes + extent.largeBytes
      this.#sums = decodeChecksums(this.#readAt(from, size - from))
    } catch (cause) {
      closeSync(this.#fd)
      throw cause
    }
  }

  get bytes(): number {
    return this.#extent.fileBytes
  }

  /** The small sections. `mayWait`: other threads may read, for which steps wait. */
  *readSmall(mayWait: boolean): Steps<SectionReader> {
    const { headerBytes, smallBytes } = this.#extent
    const bytes = new Uint8Array(smallBytes)
    yield* this.#read([bytes], headerBytes, 0, mayWait)
    return new SectionReader(this.contents.small, bytes)
  }

  /** The large sections, to where `sections` was told that they go. */
  *readLarge(sections: SectionReader, mayWait: boolean): Steps<void> {
    const { headerBytes, smallBytes } = this.#extent
    const places = sections.placesOf(this.contents.large)
    yield* this.#read(places, headerBytes + smallBytes, Math.ceil(smallBytes / pieceBytes), mayWait)
  }

  /** As soon as nothing is being read any more. */
  close(): void {
    if (this.#reads.size === 0) closeSync(this.#fd)
    else void Promise.all(this.#reads).then(() => close(this.#fd, () => {}))
  }

  *#read(views: readonly Uint8Array[], from: number, firstPiece: number, mayWait: boolean): Steps<void> {
    const pieces = [...piecesOf(views, pieceBytes)]
    const errors: (Error | undefined)[] = []
    const reads: Promise<void>[] = []
    for (const [i, piece] of pieces.entries()) {
      if (mayWait) {
        while (reads.length < Math.min(pieces.length, i + piecesAhead)) {
          const k = reads.length
          reads.push(this.#readAhead(pieces[k]!, from + k * pieceBytes, (error) => (errors[k] = error)))
        }
        yield reads[i]
        if (errors[i] !== undefined) throw errors[i]
      } else {
        checkLength(piece, readvSync(this.#fd, piece, from + i * pieceBytes))
        yield
      }
      if (checksumOf(piece) !== this.#sums[firstPiece + i]) {
        throw new StateError(`the checksum of the piece at ${from + i * pieceBytes} is wrong`)
      }
    }
  }

  /** Never rejects. */
  #readAhead(piece: readonly Uint8Array[], at: number, onError: (error: Error) => void): Promise<void> {
    const read = new Promise<void>((resolve) => {
      readv(this.#fd, piece, at, (error, bytesRead) => {
        try {
          if (error !== null) throw error
          checkLength(piece, bytesRead)
        } catch (cause) {
          onError(cause as Error)
        }
        this.#reads.delete(read)
        resolve()
      })
    })
    this.#reads.add(read)
    return read
  }

  #readAt(from: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    let read = 0
    while (read < length) {
      const more = readSync(this.#fd, bytes, read, length - read, from + read)
      if (more === 0) break
      read += more
    }
    return bytes.subarray(0, read)
  }
}

function checkLength(piece: readonly Uint8Array[], bytesRead: number): void {
  const length = piece.reduce((sum, view) => sum + view.length, 0)
  if (bytesRead !== length) throw new StateError(`want ${length} bytes of a piece, got ${bytesRead}`)
}
