import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'vite'

const pages = join(import.meta.dirname, '..', '..', 'remote-write', 'web')

/** Builds the browser pages into `directory`, which is emptied first. Returns the files that went in, absolute. */
export async function buildPagesInto(directory: string): Promise<string[]> {
  const built = await build({
    root: pages,
    configFile: join(pages, 'vite.config.ts'),
    logLevel: 'error',
    build: { outDir: directory, emptyOutDir: true },
  })
  const files = new Set<string>()
  for (const { output } of [built].flat().filter((result) => 'output' in result)) {
    for (const chunk of output) {
      if (chunk.type !== 'chunk') continue
      // Ids that begin with NUL are vite's own; `?inline` and the like are no part of the file's name.
      for (const id of chunk.moduleIds) if (!id.startsWith('\0')) files.add(id.replace(/\?.*$/, ''))
    }
  }
  return [...files].sort()
}

/** Builds the browser pages into `remote-write/web/dist`; the old ones stay until the new ones are whole. */
export async function buildPages(): Promise<void> {
  const started = performance.now()
  const next = join(pages, 'dist.next')
  await buildPagesInto(next)
  const dist = join(pages, 'dist')
  if (existsSync(dist)) rmSync(dist, { recursive: true })
  renameSync(next, dist)
  console.error(`narthex: built the pages in ${((performance.now() - started) / 1000).toFixed(1)} s`)
}

if (import.meta.main) await buildPages()
