import { ApiFormatError } from './api-error.ts'
import { field, isRecord, textField } from '../json-fields.ts'

/** One object of a list; the API server itself takes objects of at most 1.5 MiB. */
export const itemBytesMax = 8 * 2 ** 20
/** Everything of a list but its items. */
export const listHeadBytesMax = 2 ** 20

export interface ListHead {
  readonly resourceVersion: string
  /** Asks for the next page; empty on the last. */
  readonly continueToken: string
}

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const comma = 0x2c
const space = 0x20

/** What stands before the first item, and how many bytes of the head are looked at for it. */
const itemsBegin = /"items"\s*:\s*\[$/
const tailBytes = 64

/**
 * Reads a list of objects (`PodList` and so on) as its bytes come: never more than one object is held as bytes, however long the list is,
 * since a server that answers from its cache does not page. Throws `ApiFormatError`.
 */
export class ListReader {
  readonly #onItem: (item: unknown) => void
  /** The list without its items, `{…,"items":[]}`: parsed at the end. */
  #head: Uint8Array[] = []
  #headBytes = 0
  #item: Uint8Array[] = []
  #itemBytes = 0
  #depth = 0
  #isInString = false
  #isEscaped = false
  #isInItems = false
  #isOver = false

  constructor(onItem: (item: unknown) => void) {
    this.#onItem = onItem
  }

  // One pass over the bytes; `start` is where the part begins that goes to the open item or to the head.
  write(chunk: Uint8Array): void {
    const end = chunk.length
    let start = 0
    for (let i = 0; i < end;) {
      if (this.#isInString) {
        i = this.#skipString(chunk, i)
        continue
      }
      const byte = chunk[i++]!
      const isBetweenItems = this.#isInItems && this.#depth === 2
      if (byte === openBrace || (byte === openBracket && !isBetweenItems)) {
        if (isBetweenItems) start = i - 1
        else if (this.#depth === 1 && byte === openBracket) {
          this.#keepHead(chunk, start, i)
          start = i
          this.#isInItems = this.#headEndsInItems()
        }
        this.#depth++
      } else if (byte === closeBrace || byte === closeBracket) {
        this.#depth--
        if (this.#isInItems && this.#depth === 2) {
          this.#keepItem(chunk, start, i)
          this.#endItem()
        } else if (this.#isInItems && this.#depth === 1) {
          this.#isInItems = false
          start = i - 1
        } else if (this.#depth === 0) this.#isOver = true
        else if (this.#depth < 0) throw new ApiFormatError('cannot read list: want one object, got more brackets')
      } else if (isBetweenItems && byte !== comma && byte > space) throw new ApiFormatError('cannot read list: want objects as items')
      else if (byte === quote) this.#isInString = true
    }
    if (!this.#isInItems) this.#keepHead(chunk, start, end)
    else if (this.#depth > 2) this.#keepItem(chunk, start, end)
  }

  /** After the last byte. */
  end(): ListHead {
    if (!this.#isOver) throw new ApiFormatError('cannot read list: unexpected end of JSON input')
    const head = parseJson(this.#head, 'list')
    if (!isRecord(head)) throw new ApiFormatError('cannot read list: want an object')
    const metadata = field(head, 'metadata')
    return { resourceVersion: textField(metadata, 'resourceVersion'), continueToken: textField(metadata, 'continue') }
  }

  /** The place after the string's end, or the chunk's. */
  #skipString(chunk: Uint8Array, from: number): number {
    let i = from
    if (this.#isEscaped) {
      this.#isEscaped = false
      i++
    }
    for (; i < chunk.length; i++) {
      const byte = chunk[i]!
      if (byte === quote) {
        this.#isInString = false
        return i + 1
      }
      if (byte === backslash) {
        i++
        if (i === chunk.length) this.#isEscaped = true
      }
    }
    return chunk.length
  }

  #keepHead(chunk: Uint8Array, start: number, end: number): void {
    if (start >= end) return
    this.#headBytes += end - start
    if (this.#headBytes > listHeadBytesMax)
      throw new ApiFormatError(`cannot read list: want at most ${listHeadBytesMax} bytes beside items`)
    this.#head.push(chunk.slice(start, end))
  }

  #keepItem(chunk: Uint8Array, start: number, end: number): void {
    this.#itemBytes += end - start
    if (this.#itemBytes > itemBytesMax) throw new ApiFormatError(`cannot read list: want objects of at most ${itemBytesMax} bytes`)
    this.#item.push(chunk.subarray(start, end))
  }

  #endItem(): void {
    const item = parseJson(this.#item, 'list')
    this.#item = []
    this.#itemBytes = 0
    this.#onItem(item)
  }

  #headEndsInItems(): boolean {
    let tail = ''
    for (let i = this.#head.length - 1; i >= 0 && tail.length < tailBytes; i--) tail = Buffer.from(this.#head[i]!).toString('latin1') + tail
    return itemsBegin.test(tail)
  }
}

/** The value of JSON that came in pieces; throws `ApiFormatError` with the parser's reason. */
export function parseJson(pieces: readonly Uint8Array[], what: string): unknown {
  const whole = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
  const text = Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength).toString('utf8')
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ApiFormatError(`cannot read ${what}: ${error instanceof Error ? error.message.slice(0, 200) : 'invalid JSON'}`, {
      cause: error,
    })
  }
}
