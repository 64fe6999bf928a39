import { readAsset } from '@narthex/service/asset'
import { unlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isSea } from 'node:sea'

// Calls into the C library, for what the kernel shows in no file. koffi's package for one platform is a single native module without
// install scripts; its other package, `koffi`, adds the ones for all platforms and a compiler run.

/** What is used of koffi (https://koffi.dev). */
interface Koffi {
  /** `null` stands for what the program itself is linked with. */
  load(path: string | null): { func(prototype: string): (...values: unknown[]) => number }
  /** The C library's `errno` of the last call. */
  errno(): number
}

/** Name of the module's asset in the single binary. */
const assetName = 'koffi.node'

let loaded: Koffi | undefined

/** Loads the library once per process (about 10 ms and a megabyte). Throws, saying why, where it is not installed or cannot be used. */
export function loadForeignLibrary(): Koffi {
  loaded ??= isSea() ? loadUnpacked(readAsset(assetName)) : loadInstalled()
  return loaded
}

/** From node_modules above this file, or, in a bundle, above the program. */
function loadInstalled(): Koffi {
  const name = `@koromix/koffi-${process.platform}-${process.arch}`
  let cause: unknown
  for (const base of [import.meta.url, process.argv[1]]) {
    if (base === undefined) continue
    try {
      return createRequire(base)(name) as Koffi
    } catch (error) {
      cause = error
    }
  }
  throw new Error(`cannot load the optional package ${name}`, { cause })
}

/**
 * A native module can only be loaded from a file. The first of $TMPDIR, /run, /dev/shm that takes the file and may hold programs keeps it
 * while it is loaded.
 */
export function loadUnpacked(bytes: Uint8Array | undefined, directories = [process.env['TMPDIR'], '/run', '/dev/shm']): Koffi {
  if (bytes === undefined) throw new Error('cannot unpack koffi: this executable was built without it')
  const reasons: string[] = []
  for (const directory of directories) {
    if (directory === undefined || directory === '') continue
    try {
      return loadFrom(`${directory}/narthex-${process.getBuiltinModule('node:crypto').randomUUID()}.node`, bytes)
    } catch (error) {
      reasons.push((error as Error).message)
    }
  }
  throw new Error(`cannot unpack koffi: want a directory that takes programs, got ${reasons.join('; ')}`)
}

function loadFrom(path: string, bytes: Uint8Array): Koffi {
  writeFileSync(path, bytes, { mode: 0o700, flag: 'wx' })
  try {
    const module = { exports: {} }
    process.dlopen(module, path)
    return module.exports as Koffi
  } finally {
    // The mapping stays.
    unlinkSync(path)
  }
}
