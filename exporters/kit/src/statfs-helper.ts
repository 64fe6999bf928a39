import { statfsSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'

/** Numbers of statfs(2) that the collector shows. */
export interface StatfsNumbers {
  readonly blockBytes: number
  readonly blocks: number
  readonly blocksFree: number
  readonly blocksAvailable: number
  readonly files: number
  readonly filesFree: number
}

/** Numbers, or the code of the system's error (`EACCES`). */
export type StatfsAnswer = StatfsNumbers | { readonly errorCode: string }

/** Calls statfs(2) and waits, as long as it takes. */
export function callStatfs(pathBytes: string): StatfsAnswer {
  try {
    const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(Buffer.from(pathBytes, 'latin1'))
    return { blockBytes: bsize, blocks, blocksFree: bfree, blocksAvailable: bavail, files, filesFree: ffree }
  } catch (error) {
    return { errorCode: error instanceof Error && 'code' in error ? String(error.code) : 'EIO' }
  }
}

/**
 * The helper process: reads a path per line (a JSON string of latin1 bytes) and answers each with a line, in order. It may hang in the
 * kernel for ever on a dead mount; that is what it is for. Ends when its input ends.
 */
export function runStatfsHelper(input: Readable = process.stdin, output: Writable = process.stdout): void {
  let rest = ''
  input.setEncoding('latin1')
  input.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      const request: unknown = JSON.parse(line)
      if (typeof request !== 'string') throw new Error(`cannot read request: want a JSON string, got ${line}`)
      output.write(formatAnswer(callStatfs(request)) + '\n')
    }
  })
  // A parent that went away is no error of ours.
  output.on('error', () => {})
}

export function formatRequest(pathBytes: string): string {
  return JSON.stringify(pathBytes) + '\n'
}

function formatAnswer(answer: StatfsAnswer): string {
  if ('errorCode' in answer) return `!${answer.errorCode}`
  const { blockBytes, blocks, blocksFree, blocksAvailable, files, filesFree } = answer
  return `${blockBytes} ${blocks} ${blocksFree} ${blocksAvailable} ${files} ${filesFree}`
}

/** Reads a line of the helper. Throws on a line that is none. */
export function parseAnswer(line: string): StatfsAnswer {
  if (line.startsWith('!')) return { errorCode: line.slice(1) }
  const numbers = line.split(' ').map(Number)
  if (numbers.length !== 6 || numbers.some((number) => Number.isNaN(number))) {
    throw new Error(`cannot read answer of statfs helper: want 6 numbers, got ${JSON.stringify(line)}`)
  }
  const [blockBytes = 0, blocks = 0, blocksFree = 0, blocksAvailable = 0, files = 0, filesFree = 0] = numbers
  return { blockBytes, blocks, blocksFree, blocksAvailable, files, filesFree }
}
