/** The answer does not fit into the caller's limit. */
export class UnpackedTooLargeError extends Error {
  override name = 'UnpackedTooLargeError'
}
