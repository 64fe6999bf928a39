import { build } from 'esbuild'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

const repository = join(import.meta.dirname, '..', '..')

/** Every program a thread or process starts from: the main program and each worker. Workers are named as `spawnWorker` asks for them. */
export const entryPoints: Readonly<Record<string, string>> = {
  main: 'cli/src/main.ts',
  'query-worker': 'remote-write/server/src/query-worker.ts',
}

/** Bundles the sources into one CommonJS file per entry point under `outDirectory`: the form a single executable can hold. */
export async function bundle(outDirectory: string, options: { version: string; minify: boolean }): Promise<void> {
  mkdirSync(outDirectory, { recursive: true })
  await build({
    absWorkingDir: repository,
    entryPoints,
    outdir: outDirectory,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minify: options.minify,
    keepNames: true,
    legalComments: 'none',
    logLevel: 'warning',
    // CommonJS has no import.meta; a file: URL of the executable keeps `new URL('./x', import.meta.url)` parseable.
    define: {
      'import.meta.url': '__narthexModuleUrl',
      'import.meta.dirname': '__dirname',
      'import.meta.filename': '__filename',
      'import.meta.main': 'false',
      'process.env["NARTHEX_VERSION"]': JSON.stringify(options.version),
    },
    banner: { js: "const __narthexModuleUrl = require('node:url').pathToFileURL(process.execPath).href;" },
    external: ['osx-temperature-sensor'],
  })
}
