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

/** The command line asked for a text (`--help`, `--version`): printed to standard output, exit code 0. */
export class PrintAndExit extends Error {
  override name = 'PrintAndExit'
  readonly text: string

  constructor(text: string) {
    super('print and exit')
    this.text = text
  }
}
