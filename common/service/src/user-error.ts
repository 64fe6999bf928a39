/** Something the person who started the program can mend: printed as one line, without a stack. */
export class UserError extends Error {
  override name = 'UserError'
  /** The exit code that the replaced program gives. */
  readonly exitCode: number

  constructor(message: string, exitCode = 1, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** The program is done: the text (`--help`, `--version`) is printed to standard output, and the process exits, by default with code 0. */
export class PrintAndExit extends Error {
  override name = 'PrintAndExit'
  readonly text: string
  readonly exitCode: number

  constructor(text: string, exitCode = 0) {
    super('print and exit')
    this.text = text
    this.exitCode = exitCode
  }
}
