import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The script that the helper process runs: its source beside this file or, in a bundle, where nothing lies beside it, a script beside
 * `program`, the one that this process runs (`entryPoints` of the bundle has it).
 */
export function findHelperScript(program = process.argv[1]): string {
  const source = fileURLToPath(new URL('./statfs-helper-main.ts', import.meta.url))
  return program === undefined || existsSync(source) ? source : join(dirname(realpathSync(program)), 'statfs-helper.js')
}
