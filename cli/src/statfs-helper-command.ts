import type { SpawnHelper } from '@narthex/exporter-kit/statfs-pool'
import { bundledScript } from '@narthex/service/bundled'
import { isSea } from 'node:sea'

/** Hidden command: see `runStatfsHelper`. */
export const statfsHelperCommand = 'internal-statfs-helper'

/** The single binary and the bundled exporters start themselves as the helper, what runs from sources the file beside them. */
export function ownHelper(): { readonly spawnHelper?: SpawnHelper } {
  if (isSea()) return { spawnHelper: () => spawnSelf([statfsHelperCommand]) }
  const script = bundledScript('exporter-node.js')
  return script === undefined ? {} : { spawnHelper: () => spawnSelf(['--max-old-space-size=16', script, statfsHelperCommand]) }
}

function spawnSelf(args: readonly string[]): ReturnType<SpawnHelper> {
  // Loaded with the first mount that may hang.
  return process.getBuiltinModule('node:child_process').spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'] })
}
