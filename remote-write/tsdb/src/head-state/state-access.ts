/** What a state is made of: numbers in arrays, in the byte order of the machine. */
export type StateView = Uint8Array | Uint32Array | Int32Array | Float64Array

/**
 * Where a part of the head puts its state when the store is closed. Names are the part's own. Nothing is copied but numbers, texts and lists of arrays: single
 * arrays and memory have to stay as they are until they are written.
 */
export interface StateWriter {
  /** For a part of this part. */
  part(name: string): StateWriter
  numbers(numbers: Readonly<Record<string, number>>): void
  /** A list is put as one array. */
  array(name: string, view: StateView | readonly StateView[]): void
  texts(name: string, texts: Iterable<string>): void
  /** Large memory, which `StateReader.memory` fills in its place. */
  memory(name: string, views: readonly StateView[]): void
}

/** Where a part gets back what it had put. Throws if there is nothing of a name. */
export interface StateReader {
  part(name: string): StateReader
  number(name: string): number
  words(name: string): Uint32Array<ArrayBuffer>
  doubles(name: string): Float64Array<ArrayBuffer>
  bytes(name: string): Uint8Array<ArrayBuffer>
  texts(name: string): string[]
  /** The views, of as many bytes as were put, have the memory when the whole state is restored; not yet when this returns. */
  memory(name: string, views: readonly StateView[]): void
}
