import { ApiFormatError, ApiStatusError } from './api-error.ts'
import { parseJson } from './list-reader.ts'
import { field, optionalNumber, textField } from '../json-fields.ts'

/** One event: its object has at most 1.5 MiB in the API server's store. */
export const lineBytesMax = 8 * 2 ** 20

export interface WatchEvent {
  /** A bookmark's object has nothing but a resourceVersion. */
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: unknown
}

const newline = 0x0a

/**
 * Reads a watch stream, one JSON event a line, as its bytes come. Throws `ApiFormatError`, and `ApiStatusError` for an ERROR event. A line
 * without an end is no event: the watch is resumed before it.
 */
export class WatchReader {
  readonly #onEvent: (event: WatchEvent) => void
  #pieces: Uint8Array[] = []
  #bytes = 0

  constructor(onEvent: (event: WatchEvent) => void) {
    this.#onEvent = onEvent
  }

  write(chunk: Uint8Array): void {
    let start = 0
    for (;;) {
      const end = chunk.indexOf(newline, start)
      const stop = end < 0 ? chunk.length : end
      if (stop > start) {
        this.#bytes += stop - start
        if (this.#bytes > lineBytesMax) throw new ApiFormatError(`cannot read watch: want events of at most ${lineBytesMax} bytes`)
        this.#pieces.push(chunk.subarray(start, stop))
      }
      if (end < 0) return
      start = end + 1
      this.#endLine()
    }
  }

  #endLine(): void {
    const pieces = this.#pieces
    if (pieces.length === 0) return
    this.#pieces = []
    this.#bytes = 0
    const event = parseJson(pieces, 'watch')
    const type = textField(event, 'type')
    const object = field(event, 'object')
    if (type === 'ERROR') throw statusError(object, 500)
    if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED' && type !== 'BOOKMARK') {
      throw new ApiFormatError(`cannot read watch: want a type of event, got ${JSON.stringify(type.slice(0, 40))}`)
    }
    this.#onEvent({ type, object })
  }
}

/** What a `Status` object says. */
export function statusError(status: unknown, code: number, retryAfterMs?: number): ApiStatusError {
  const message = textField(status, 'message') || textField(status, 'reason') || 'no reason given'
  return new ApiStatusError(optionalNumber(status, 'code') ?? code, message.slice(0, 500), retryAfterMs)
}
