import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a directory and its parents, as `mkdir -p`. Throws the system's error. Node's own recursive form never comes back
 * where a parent exists and refuses children with ENOENT, as /proc does.
 */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const parent = dirname(path)
    if (code === 'EEXIST') {
      // A directory that is there is what was wanted; a file in its place shows at the first use, with its own error.
      return
    }
    if (code !== 'ENOENT' || parent === path) throw error
    makeDirectory(parent)
    mkdirSync(path)
  }
}
