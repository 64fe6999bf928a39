import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'vite'

const pages = join(import.meta.dirname, '..', '..', 'remote-write', 'web')

/** Builds the browser pages into `remote-write/web/dist`; the old ones stay until the new ones are whole. */
export async function buildPages(): Promise<void> {
  const started = performance.now()
  const next = join(pages, 'dist.next')
  rmSync(next, { recursive: true, force: true })
  await build({
    root: pages,
    configFile: join(pages, 'vite.config.ts'),
    logLevel: 'error',
    build: { outDir: next, emptyOutDir: true },
  })
  const dist = join(pages, 'dist')
  if (existsSync(dist)) rmSync(dist, { recursive: true })
  renameSync(next, dist)
  console.error(`narthex: built the pages in ${((performance.now() - started) / 1000).toFixed(1)} s`)
}

if (import.meta.main) await buildPages()
