import { build } from 'esbuild'
import { readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { entryPoints, escapeNonAscii, exporterNames, workerNames } from './bundle.ts'

// programs.ts DIRECTORY agent|exporter-KIND|server|narthex: the program as one script for bin/narthex, NAME.cjs, and for the last two one for each
// of their workers. Run from its sources a server takes 60 MB and two seconds of processor time more, an agent 25 MB: the type stripper, every
// module's text and the loader's books about them.

const repository = join(import.meta.dirname, '..', '..')
const [directory, name] = process.argv.slice(2)
const workers = Object.fromEntries(workerNames.map((worker) => [worker, entryPoints[worker]!]))
const exporters = Object.fromEntries(
  exporterNames.map((kind): [string, Readonly<Record<string, string>>] => {
    const script = `exporter-${kind}`
    return [script, { [script]: entryPoints[script]! }]
  }),
)
const programs: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  agent: { agent: 'cli/src/main-agent.ts' },
  ...exporters,
  server: { ...workers, server: 'cli/src/main-server.ts' },
  narthex: { ...workers, narthex: entryPoints['main']! },
}
const scripts = programs[name ?? '']
const isExporter = name?.startsWith('exporter-') === true
if (directory === undefined || scripts === undefined)
  throw new Error(`cannot build a program: want DIRECTORY agent|exporter-KIND|server|narthex, got ${process.argv.slice(2).join(' ')}`)

// Written beside and renamed: a program that starts meanwhile must find whole files. The main script is the last, as its age is what counts.
const unfinished = join(directory, `${name}-${process.pid}`)
await build({
  absWorkingDir: repository,
  entryPoints: scripts,
  outdir: unfinished,
  outExtension: { '.js': '.cjs' },
  // These two have no worker but one that checks passwords, which few use: it comes from its source.
  define: name === 'agent' || isExporter ? {} : { 'process.env.NARTHEX_WORKERS': JSON.stringify(directory) },
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  // The source stays in memory as text, names included: they are what a stack trace shows.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  // Loaded by the first request or connection that needs them, from beside this script; most programs never do, and none the rest.
  external: [
    ...['undici', 'mysql2', '@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler', 'light-my-request'],
    // Exporters without a web config have no YAML to read, all others have.
    ...(isExporter ? ['yaml', 'bcryptjs'] : []),
  ],
  logLevel: 'warning',
  plugins: [
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
