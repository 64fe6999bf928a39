import { readFileSync } from 'node:fs'
import { join, normalize, sep } from 'node:path'
import { getRawAsset, isSea } from 'node:sea'
import { fileURLToPath } from 'node:url'

const roots = new Map<string, string>()

/**
 * Says where assets whose path begins with `prefix/` lie when the sources run as they are.
 * In the single binary they come out of the binary and the directory is not used.
 */
export function registerAssetRoot(prefix: string, directory: URL | string): void {
  roots.set(prefix, typeof directory === 'string' ? directory : fileURLToPath(directory))
}

/**
 * The bytes of an asset such as `web/index.html`, undefined when there is none. Do not change the bytes: in the single binary they
 * are the executable's own pages. Reads the disk synchronously when run from sources: for start-up, or behind a cache.
 */
export function readAsset(path: string): Uint8Array | undefined {
  return isSea() ? readEmbeddedAsset(path) : readAssetFile(path)
}

function readEmbeddedAsset(path: string): Uint8Array | undefined {
  try {
    return new Uint8Array(getRawAsset(path))
  } catch (error) {
    if (isErrorCode(error, 'ERR_SINGLE_EXECUTABLE_APPLICATION_ASSET_NOT_FOUND')) return undefined
    throw error
  }
}

function readAssetFile(path: string): Uint8Array | undefined {
  const slash = path.indexOf('/')
  const root = slash < 0 ? undefined : roots.get(path.slice(0, slash))
  if (root === undefined) return undefined
  const file = normalize(join(root, path.slice(slash + 1)))
  // A path that climbs out of its root is answered like one that does not exist.
  if (!file.startsWith(normalize(root + sep)) || path.includes('\0')) return undefined
  try {
    return readFileSync(file)
  } catch (error) {
    if (['ENOENT', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG'].some((code) => isErrorCode(error, code))) return undefined
    throw error
  }
}

function isErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
