/** The numbers with room for `room` of them. */
export function growInts(ints: Int32Array, room: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(room)
  grown.set(ints)
  return grown
}
