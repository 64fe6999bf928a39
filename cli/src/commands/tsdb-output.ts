import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { BlockError } from '@narthex/tsdb/block/block-error'
import { ToolError } from '@narthex/tsdb/tools/open-blocks'

/** Where promtool looks if no directory is given. */
export const defaultDirectory = 'data/'

/** Writes pieces of text as fast as the reader takes them. A reader that has gone (`| head`) ends the program, without a word. */
export async function writeText(texts: Iterable<string | Uint8Array>, output: Writable = process.stdout): Promise<void> {
  let failure: Error | undefined
  const onError = (error: Error): void => void (failure ??= error)
  output.on('error', onError)
  try {
    for (const text of texts) {
      if (text.length > 0 && !output.write(text) && failure === undefined) await once(output, 'drain')
      if (failure !== undefined) throw failure
    }
    await new Promise<void>((resolve, reject) => output.write('', (error) => (error ? reject(error) : resolve())))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') throw new PrintAndExit('', 1)
    throw error
  } finally {
    output.off('error', onError)
  }
}

/** Runs a tool; what is wrong with files becomes one line for the user. */
export async function runTool(action: () => void | Promise<void>): Promise<void> {
  try {
    await action()
  } catch (error) {
    if (error instanceof ToolError || error instanceof BlockError || isSystemError(error)) {
      throw new UserError(error.message, 1, { cause: error })
    }
    throw error
  }
}

/** Of a file: permissions, a full disk, a directory that went away. */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error && 'code' in error
}
