/** A line that cannot be read. The import ends there; what came before it is kept. */
export class ImportLineError extends Error {
  override name = 'ImportLineError'
}
