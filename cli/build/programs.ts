import { build } from 'esbuild'
import { readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { entryPoints, escapeNonAscii } from './bundle.ts'

// programs.ts DIRECTORY agent|exporter|exporter-KIND|server|narthex: the program as one script for bin/narthex, NAME.cjs, and for the last two one for each
// of their workers. Run from
// its sources a server takes 60 MB and two seconds of processor time more, an agent 25 MB: the type stripper, every module's text and the
// loader's books about them.

const repository = join(import.meta.dirname, '..', '..')
const [directory, name] = process.argv.slice(2)
const { main, ...workers } = entryPoints
const programs: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  agent: { agent: 'cli/src/main-agent.ts' },
  exporter: { exporter: 'cli/src/main-exporter.ts' },
  server: { ...workers, server: 'cli/src/main-server.ts' },
  narthex: { ...workers, narthex: main! },
}
/** The one exporter that goes into the script, if it is for one. */
const exporterKind = /^exporter-([a-z]+)$/.exec(name ?? '')?.[1]
const scripts = exporterKind === undefined ? programs[name ?? ''] : { [name!]: programs['exporter']!['exporter']! }
if (directory === undefined || scripts === undefined)
  throw new Error(`cannot build a program: want DIRECTORY agent|exporter|exporter-KIND|server|narthex, got ${process.argv.slice(2).join(' ')}`)

// Written beside and renamed: a program that starts meanwhile must find whole files. The main script is the last, as its age is what counts.
const unfinished = join(directory, `${name}-${process.pid}`)
await build({
  absWorkingDir: repository,
  entryPoints: scripts,
  outdir: unfinished,
  outExtension: { '.js': '.cjs' },
  // These two have no worker but one that checks passwords, which few use: it comes from its source.
  define: name === 'agent' || name?.startsWith('exporter') === true ? {} : { 'process.env.NARTHEX_WORKERS': JSON.stringify(directory) },
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  // The source stays in memory as text, names included: they are what a stack trace shows.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  // Loaded by the first request or connection that needs them, from beside this script; most programs never do, and none the rest.
  external: ['undici', 'mysql2', '@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler', 'light-my-request'],
  logLevel: 'warning',
  plugins: [
    {
      name: 'one exporter',
      // Each has libraries of its own, which take memory though nobody calls them.
      setup({ onResolve, onLoad }) {
        if (exporterKind === undefined) return
        onResolve({ filter: /^\.\/[a-z]+-exporter\.ts$/ }, ({ path, importer }) =>
          importer.endsWith('/commands/exporter.ts') && path !== `./${exporterKind}-exporter.ts` ? { path, namespace: 'absent' } : undefined,
        )
        // CommonJS, so that whatever is imported of it is there, and undefined.
        onLoad({ filter: /./, namespace: 'absent' }, () => ({ contents: 'module.exports = {}', loader: 'js' }))
      },
    },
    {
      name: 'places',
      // The script lies elsewhere: what a module finds beside itself, it finds beside its source.
      setup({ onLoad }) {
        onLoad({ filter: /\.(ts|js|mjs)$/ }, ({ path }) => {
          const text = readFileSync(path, 'utf8')
          if (!text.includes('import.meta.')) return undefined
          const contents = text
            .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
            .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
            .replaceAll('import.meta.filename', JSON.stringify(path))
          return { contents, loader: path.endsWith('.ts') ? ('ts' as const) : ('js' as const) }
        })
      },
    },
  ],
})
for (const script of Object.keys(scripts)) {
  const built = join(unfinished, `${script}.cjs`)
  writeFileSync(built, escapeNonAscii(readFileSync(built, 'utf8')))
  renameSync(built, join(directory, `${script}.cjs`))
}
rmdirSync(unfinished)
