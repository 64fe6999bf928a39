/** Where a check's lines go: promtool prints what is wrong to standard error, all else to standard output. */
export interface CheckOutput {
  out(line: string): void
  err(line: string): void
}

export const processOutput: CheckOutput = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
}

/** promtool's exit codes. */
export const failureCode = 1
export const lintErrorCode = 3

const errorWords: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  ENOTDIR: 'not a directory',
}

/** What `stat` says of a file that cannot be used, in Go's words. */
export function describeStatError(path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return `stat ${path}: ${errorWords[code ?? ''] ?? message}`
}

/** What reading a file says, in Go's words. */
export function describeReadError(path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EISDIR') return `read ${path}: is a directory`
  const words = errorWords[code ?? '']
  return words === undefined ? message : `open ${path}: ${words}`
}
