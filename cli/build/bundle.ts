import { build, type Plugin } from 'esbuild'
import { mkdirSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { basename, join } from 'node:path'

const repository = join(import.meta.dirname, '..', '..')

/** What threads start from, by the names by which `spawnWorker` asks for them. */
const workers: Readonly<Record<string, string>> = {
  'query-worker': 'remote-write/server/src/query-worker.ts',
  'send-worker': 'remote-write/server/src/send/send-worker.ts',
  'compaction-worker': 'remote-write/tsdb/src/compact/compaction-worker.ts',
  'log-decoding-worker': 'remote-write/tsdb/src/wal/log-decoding-worker.ts',
  'logged-floats-worker': 'remote-write/tsdb/src/wal/logged-floats-worker.ts',
  'password-worker': 'common/http/src/password-worker.ts',
}

export const workerNames: readonly string[] = Object.keys(workers)

/** The exporters, each a program of its own: together they are three times as large, and each has libraries that the others do not need. */
export const exporterNames: readonly string[] = ['container', 'mysql', 'nginx', 'node', 'redis']

const exporters: Readonly<Record<string, string>> = Object.fromEntries(
  exporterNames.map((name) => [`exporter-${name}`, `cli/src/main-exporter-${name}.ts`]),
)

/** Every program that a process or thread starts from. */
export const entryPoints: Readonly<Record<string, string>> = { main: 'cli/src/main.ts', ...exporters, ...workers }

/**
 * Packages that another one takes if they are installed, and does without else: mysql2 prints debug output in colour with one. In the
 * bundle they are as absent as they are from the lock file.
 */
const optionalPackages = /^cardinal$/

const leaveOut: Plugin = {
  name: 'optional packages',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: optionalPackages }, ({ path }) => ({ path, namespace: 'absent' }))
    onLoad({ filter: /./, namespace: 'absent' }, ({ path }) => ({ contents: `throw new Error('${path} is not there')`, loader: 'js' }))
  },
}

export interface BundleOptions {
  readonly version: string
  /** Drops white space and comments. Names stay either way: a stack in a bug report must be readable. */
  readonly minify: boolean
}

/**
 * Bundles the sources into one CommonJS script `<name>.js` per entry point in `outDirectory`: the form a single executable can hold.
 * Returns the files that went in, absolute. Throws when a script would still load a file at run time: there is none to load.
 */
export async function bundle(outDirectory: string, options: BundleOptions): Promise<string[]> {
  mkdirSync(outDirectory, { recursive: true })
  const { outputFiles, metafile } = await build({
    absWorkingDir: repository,
    entryPoints,
    outdir: outDirectory,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minifyWhitespace: options.minify,
    minifySyntax: options.minify,
    keepNames: true,
    // Licences are in THIRD-PARTY-NOTICES, see notices.ts.
    legalComments: 'none',
    logLevel: 'warning',
    write: false,
    metafile: true,
    // CommonJS has no import.meta. Nothing lies beside the executable: a fixed address keeps `new URL('./x', import.meta.url)`
    // parseable and is the same in the main program and in threads.
    define: {
      'import.meta.url': '"file:///narthex/bundle.js"',
      'import.meta.dirname': '"/narthex"',
      'import.meta.filename': '"/narthex/bundle.js"',
      'import.meta.main': 'false',
      'process.env.NARTHEX_VERSION': JSON.stringify(options.version),
      'process.env.NARTHEX_BUNDLED': JSON.stringify('yes'),
    },
    // A thread runs its script in the global scope, where a `var crypto` of ours would hit the global one; in a function it does not.
    // Sources are strict because they are modules, the function is because it says so.
    plugins: [leaveOut],
    banner: { js: "(() => {'use strict';" },
    footer: { js: '})();' },
  })

  const files = new Set<string>()
  for (const [output, { inputs, imports }] of Object.entries(metafile.outputs)) {
    const loaded = imports.filter(({ external, path }) => external === true && !isBuiltin(path)).map(({ path }) => path)
    if (loaded.length > 0) throw new Error(`cannot bundle ${basename(output)}: want nothing loaded at run time, got ${loaded.join(', ')}`)
    for (const [input, { bytesInOutput }] of Object.entries(inputs)) if (bytesInOutput > 0 && !input.startsWith('absent:')) files.add(join(repository, input))
  }
  for (const { path, text } of outputFiles) {
    writeFileSync(path, `${escapeNonAscii(text)}//# sourceURL=${basename(path)}\n`)
  }
  return [...files].sort()
}

/**
 * A bundled script in ASCII alone: one character beyond Latin-1 makes V8 keep the whole script with two bytes per character. esbuild
 * escapes them in strings; what is left stands in regular expressions (and comments), where the escape means the same. Throws where it
 * would not.
 */
export function escapeNonAscii(text: string): string {
  if (/String\.raw`[^`]*[\u0080-\uffff]/.test(text)) throw new Error('cannot bundle: a String.raw text has characters beyond ASCII')
  return text.replace(/[\u0080-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
