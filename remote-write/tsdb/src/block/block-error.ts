/** What is wrong with a file of a block, or why something cannot be written into one; the text names both file and offset. */
export class BlockError extends Error {
  override name = 'BlockError'
  readonly file: string
  readonly offset: number

  constructor(action: 'read' | 'write', file: string, offset: number, problem: string, options?: ErrorOptions) {
    super(`cannot ${action} ${file} at offset ${offset}: ${problem}`, options)
    this.file = file
    this.offset = offset
  }

  /** Bytes that disagree with the format. */
  static damage(file: string, offset: number, problem: string, options?: ErrorOptions): BlockError {
    return new BlockError('read', file, offset, problem, options)
  }
}

/** `cause` with the file's name and offset, unless it has them. */
export function asBlockError(file: string, offset: number, cause: unknown): BlockError {
  if (cause instanceof BlockError) return cause
  return BlockError.damage(file, offset, cause instanceof Error ? cause.message : String(cause), { cause })
}
