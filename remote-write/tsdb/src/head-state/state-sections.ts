import type { StateReader, StateView, StateWriter } from './state-access.ts'

/** A named run of bytes. */
export interface Section {
  readonly name: string
  readonly bytes: number
}

/** Small sections begin at multiples of it, so that any array can lie there. */
const alignment = 8

/** Collects a state: what is small, and what is large, in the order in which it came. */
export class SectionCollector implements StateWriter {
  readonly small: Section[]
  readonly smallViews: Uint8Array[]
  readonly large: Section[]
  readonly largeViews: Uint8Array[]
  readonly #prefix: string

  constructor(prefix = '', parent?: SectionCollector) {
    this.#prefix = prefix
    this.small = parent?.small ?? []
    this.smallViews = parent?.smallViews ?? []
    this.large = parent?.large ?? []
    this.largeViews = parent?.largeViews ?? []
  }

  part(name: string): SectionCollector {
    return new SectionCollector(`${this.#prefix}${name}/`, this)
  }

  numbers(numbers: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(numbers)) this.array(name, Float64Array.of(value))
  }

  array(name: string, view: StateView | readonly StateView[]): void {
    // Lists are of many short ones.
    const whole = ArrayBuffer.isView(view) ? bytesOf(view) : Buffer.concat(view.map(bytesOf))
    const bytes = whole.length
    this.small.push({ name: this.#prefix + name, bytes })
    this.smallViews.push(whole)
    const padding = -bytes & (alignment - 1)
    if (padding > 0) this.smallViews.push(new Uint8Array(padding))
  }

  texts(name: string, texts: Iterable<string>): void {
    const views = Array.from(texts, (text) => Buffer.from(text))
    const part = this.part(name)
    part.array(
      'lengths',
      Uint32Array.from(views, ({ length }) => length),
    )
    part.array('bytes', Buffer.concat(views))
  }

  memory(name: string, views: readonly StateView[]): void {
    this.large.push({ name: this.#prefix + name, bytes: sizeOf(views) })
    for (const view of views) this.largeViews.push(bytesOf(view))
  }
}

/** Bytes of small sections, one behind the other. */
export function smallBytesOf(sections: readonly Section[]): number {
  return sections.reduce((sum, { bytes }) => sum + bytes + (-bytes & (alignment - 1)), 0)
}

/** Gives a state back: small sections from memory, and for large ones takes note of where they shall go. */
export class SectionReader implements StateReader {
  readonly #prefix: string
  readonly #bytes: Uint8Array<ArrayBuffer>
  readonly #places: Map<string, { readonly from: number; readonly bytes: number; isRead: boolean }>
  readonly #wanted: Map<string, readonly Uint8Array[]>

  /** `bytes`: those of the small sections. */
  constructor(small: readonly Section[], bytes: Uint8Array<ArrayBuffer>, prefix = '', parent?: SectionReader) {
    this.#prefix = prefix
    this.#bytes = bytes
    this.#wanted = parent === undefined ? new Map() : parent.#wanted
    this.#places = parent === undefined ? new Map() : parent.#places
    let from = 0
    for (const { name, bytes: length } of small) {
      this.#places.set(name, { from, bytes: length, isRead: false })
      from += length + (-length & (alignment - 1))
    }
  }

  part(name: string): SectionReader {
    return new SectionReader([], this.#bytes, `${this.#prefix}${name}/`, this)
  }

  number(name: string): number {
    return this.doubles(name)[0]!
  }

  words(name: string): Uint32Array<ArrayBuffer> {
    const { from, bytes } = this.#find(name)
    return new Uint32Array(this.#bytes.buffer.slice(from, from + bytes))
  }

  doubles(name: string): Float64Array<ArrayBuffer> {
    const { from, bytes } = this.#find(name)
    return new Float64Array(this.#bytes.buffer.slice(from, from + bytes))
  }

  bytes(name: string): Uint8Array<ArrayBuffer> {
    const { from, bytes } = this.#find(name)
    return this.#bytes.slice(from, from + bytes)
  }

  texts(name: string): string[] {
    const part = this.part(name)
    const { from } = part.#find('bytes')
    const source = Buffer.from(this.#bytes.buffer)
    let at = from
    return Array.from(part.words('lengths'), (length) => source.toString('utf8', at, (at += length)))
  }

  memory(name: string, views: readonly StateView[]): void {
    this.#wanted.set(this.#prefix + name, views.map(bytesOf))
  }

  /** Where the large sections go, in their order. Throws if one of them has no place of its size, or if a small one was not asked for. */
  placesOf(large: readonly Section[]): Uint8Array[] {
    for (const [name, { isRead }] of this.#places) if (!isRead) throw new Error(`nobody wants ${name}`)
    const found: Uint8Array[] = []
    for (const { name, bytes } of large) {
      const views = this.#wanted.get(name)
      if (views === undefined) throw new Error(`nobody wants ${name}`)
      if (sizeOf(views) !== bytes) throw new Error(`${name} has ${bytes} bytes, there is room for ${sizeOf(views)}`)
      for (const view of views) found.push(view)
      this.#wanted.delete(name)
    }
    for (const name of this.#wanted.keys()) throw new Error(`there is no ${name}`)
    return found
  }

  #find(name: string): { readonly from: number; readonly bytes: number } {
    const place = this.#places.get(this.#prefix + name)
    if (place === undefined) throw new Error(`there is no ${this.#prefix}${name}`)
    place.isRead = true
    return place
  }
}

/** Cuts a run of bytes that lies in several places into pieces of `pieceBytes`; only the last one may be shorter. */
export function* piecesOf(views: readonly Uint8Array[], pieceBytes: number): Generator<Uint8Array[]> {
  let piece: Uint8Array[] = []
  let length = 0
  for (const view of views) {
    for (let from = 0; from < view.length;) {
      const end = Math.min(view.length, from + pieceBytes - length)
      piece.push(view.subarray(from, end))
      length += end - from
      from = end
      if (length < pieceBytes) continue
      yield piece
      piece = []
      length = 0
    }
  }
  if (length > 0) yield piece
}

function bytesOf(view: StateView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

function sizeOf(views: readonly StateView[]): number {
  return views.reduce((sum, { byteLength }) => sum + byteLength, 0)
}
