/** The numbers with room for `room` of them. */
export function growInts(ints: Int32Array, room: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(room)
  grown.set(ints)
  return grown
}

/** The bytes with room for `room` of them. */
export function growBytes(bytes: Uint8Array, room: number): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(room)
  grown.set(bytes)
  return grown
}

/** The words with room for `room` of them. */
export function growWords(words: Uint32Array, room: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(room)
  grown.set(words)
  return grown
}

/** The doubles with room for `room` of them. */
export function growDoubles(doubles: Float64Array, room: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(room)
  grown.set(doubles)
  return grown
}
