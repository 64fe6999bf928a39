import { parseGoFloat } from '@narthex/model/number'
import type { NodeEnvironment } from './environment.ts'

/** The one unsigned number that a kernel file holds. Throws the system's error, or one of its own for anything else in the file. */
export function readNumberFile({ files, scanner }: NodeEnvironment, path: string): number {
  scanner.load(files.read(path))
  scanner.nextLine()
  const value = scanner.nextUnsigned()
  if (Number.isNaN(value)) throw new Error(`cannot read ${path}: want a number, got ${JSON.stringify(scanner.text())}`)
  return value
}

/** A text as Go's ParseInt(text, 10, 64) reads it, as the nearest double; undefined where that gives an error. */
export function parseInteger(text: string): number | undefined {
  return /^[+-]?[0-9]+$/.test(text) ? parseGoFloat(text) : undefined
}
