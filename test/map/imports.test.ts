import { existsSync, globSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'

// The arrows of ARCHITECTURE.md, checked: every import is declared, no cycle between packages, none points upwards.

const repository = join(import.meta.dirname, '..', '..')

interface Package {
  name: string
  directory: string
  dependencies: Record<string, string>
  devDependencies?: Record<string, string>
  imports: Map<string, string[]>
}

const commonOrder = ['bytes', 'model', 'exposition', 'relabel', 'config', 'template', 'wire', 'http', 'service']
const wiring = new Set(['server', 'cli', 'test'])
const declaredExceptions = ['rules → promql/parse', 'api → promql/parse']

const packages = findPackages()

function findPackages(): Package[] {
  const manifests = globSync(
    [
      'common/*/package.json',
      'exporters/*/package.json',
      'agent/package.json',
      'remote-write/*/package.json',
      'cli/package.json',
      'test/package.json',
    ],
    {
      cwd: repository,
    },
  )
  return manifests.sort().map((manifest) => {
    const directory = dirname(manifest)
    const { name, dependencies, devDependencies } = JSON.parse(readFileSync(join(repository, manifest), 'utf8')) as Package
    return { name: name.replace('@narthex/', ''), directory, dependencies, devDependencies, imports: findImports(directory) }
  })
}

function findImports(directory: string): Map<string, string[]> {
  const imports = new Map<string, string[]>()
  const files = globSync('**/*.{ts,tsx}', {
    cwd: join(repository, directory),
    exclude: (name) => name === 'node_modules' || name === 'dist',
  })
  for (const file of files) {
    const text = readFileSync(join(repository, directory, file), 'utf8')
    for (const match of text.matchAll(/^(?:import|export)\s(?:[^'"]*?\sfrom\s+)?'([^']+)'/gm)) {
      const specifier = match[1]!
      imports.set(specifier, [...(imports.get(specifier) ?? []), file])
    }
  }
  return imports
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!
}

function isTestFile(file: string): boolean {
  return /\.(test|bench|fuzz)\.tsx?$|testdata\/|vite\.config\.ts$/.test(file)
}

describe('the map', () => {
  test('every import is declared in its package', () => {
    const undeclared: string[] = []
    for (const { name, directory, dependencies, devDependencies = {}, imports } of packages) {
      for (const [specifier, files] of imports) {
        if (specifier.startsWith('.') || specifier.startsWith('node:') || builtinModules.includes(specifier)) continue
        const shipped = files.filter((file) => !isTestFile(file))
        const wanted = packageOf(specifier)
        // What makes a checked-in file is not shipped either.
        if (wanted in devDependencies && shipped.every((file) => file.startsWith('build/'))) continue
        if (shipped.length > 0 && wanted !== `@narthex/${name}` && !(wanted in dependencies))
          undeclared.push(`${directory}: ${specifier} in ${shipped[0]}`)
      }
    }
    expect(undeclared).toEqual([])
  })

  test('relative imports stay inside their package', () => {
    const leaving: string[] = []
    for (const { directory, imports } of packages) {
      for (const [specifier, files] of imports) {
        if (!specifier.startsWith('.')) continue
        for (const file of files) {
          const target = join(directory, dirname(file), specifier)
          if (!target.startsWith(`${directory}/`)) leaving.push(`${directory}/${file}: ${specifier}`)
        }
      }
    }
    expect(leaving).toEqual([])
  })

  test('arrows point downwards: common to common above it, stages to common only', () => {
    const wrong: string[] = []
    for (const { name, directory, imports } of packages) {
      if (wiring.has(name)) continue
      for (const [specifier, files] of imports) {
        if (!specifier.startsWith('@narthex/') || files.every(isTestFile)) continue
        const target = specifier.split('/')[1]!
        if (target === name) continue
        const rank = commonOrder.indexOf(target)
        const downwards = directory.startsWith('common/') ? rank >= 0 && rank < commonOrder.indexOf(name) : rank >= 0
        const excepted = declaredExceptions.some((exception) => `${name} → ${specifier.replace('@narthex/', '')}`.startsWith(exception))
        const exporterKit = directory.startsWith('exporters/') && target === 'exporter-kit'
        if (!downwards && !excepted && !exporterKit) wrong.push(`${directory}: ${specifier} in ${files.find((file) => !isTestFile(file))}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('every folder of the tree stands in ARCHITECTURE.md', () => {
    const text = readFileSync(join(repository, 'ARCHITECTURE.md'), 'utf8')
    const missing = packages.map(({ directory }) => directory).filter((directory) => !text.includes(`${directory}/`))
    expect(missing).toEqual([])
    for (const directory of text.matchAll(/^\| `([a-z/-]+)\/` /gm))
      expect(existsSync(join(repository, directory[1]!)), directory[1]).toBe(true)
  })

  test('no source file is reached by dynamic import or top-level await, which the single binary cannot have', () => {
    const found: string[] = []
    for (const { directory } of packages) {
      if (directory === 'test' || directory === 'remote-write/web') continue
      for (const file of globSync('src/**/*.ts', { cwd: join(repository, directory) })) {
        if (isTestFile(file)) continue
        const text = readFileSync(join(repository, directory, file), 'utf8')
        if (/(^|[^.\w'"`])import\(/.test(text) || /^await /m.test(text)) found.push(`${directory}/${file}`)
      }
    }
    expect(found).toEqual([])
  })
})
