import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license?: string
  readonly author?: string | { readonly name: string }
}

/**
 * The text of THIRD-PARTY-NOTICES: name, version and licence texts of every package that has one of the `files` (absolute paths), and of
 * the Node.js package in `runtimeDirectory`, whose licence text names what Node.js is made of.
 */
export function formatNotices(files: readonly string[], runtimeDirectory: string): string {
  const directories = new Set(files.map(findPackageDirectory).filter((directory) => directory !== undefined))
  const packages = [...directories].map((directory) => ({ directory, manifest: readManifest(directory) }))
  packages.sort((a, b) => (identify(a.manifest) < identify(b.manifest) ? -1 : 1))
  packages.push({ directory: runtimeDirectory, manifest: { ...readManifest(runtimeDirectory), name: 'Node.js', license: 'MIT and others' } })
  const seen = new Set<string>()
  const sections: string[] = []
  for (const { directory, manifest } of packages) {
    // The same version may be installed in two places.
    if (seen.has(identify(manifest))) continue
    seen.add(identify(manifest))
    sections.push(`${'='.repeat(80)}\n${identify(manifest)} (${manifest.license ?? 'no licence named'})\n\n${readLicence(directory, manifest)}\n`)
  }
  return `Narthex is licensed under the Apache License 2.0. Its executable contains these works of others.\n\n${sections.join('\n')}`
}

function identify({ name, version }: Manifest): string {
  return `${name} ${version}`
}

/** Undefined for a file of ours. */
export function findPackageDirectory(file: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file.replaceAll('\\', '/'))?.[0]
}

function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest
}

function readLicence(directory: string, { license, author }: Manifest): string {
  const names = readdirSync(directory).filter((name) => /^(licen[cs]e|copying|notice)/i.test(basename(name)))
  if (names.length > 0) return names.map((name) => readFileSync(join(directory, name), 'utf8').trim()).join('\n\n')
  const owner = typeof author === 'string' ? author : (author?.name ?? 'its authors')
  return `The package carries no licence text; its package.json says: ${license ?? 'nothing'}, by ${owner}.`
}
