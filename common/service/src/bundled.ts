import { dirname, join } from 'node:path'
import { isSea } from 'node:sea'

/** The path of a script beside the one that runs, where that is one of `npm run build`; undefined in the single binary, and where the sources run. */
export function bundledScript(name: string): string | undefined {
  // Set when bundled.
  const isBundled = process.env['NARTHEX_BUNDLED'] !== undefined && !isSea()
  return isBundled ? join(dirname(process.argv[1]!), name) : undefined
}
