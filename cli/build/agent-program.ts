import { build } from 'esbuild'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { escapeNonAscii } from './bundle.ts'

// agent-program.ts OUT: the agent as one script, for bin/narthex. Run from its sources the agent takes 25 MB more: the type stripper, every
// module's text and the loader's books about them stay in memory.

const repository = join(import.meta.dirname, '..', '..')
const out = process.argv[2]
if (out === undefined) throw new Error('cannot build the agent: want a path to write, got none')

// Written beside and renamed: an agent that starts meanwhile must find a whole file.
const next = join(dirname(out), `agent-${process.pid}.cjs`)
await build({
  absWorkingDir: repository,
  entryPoints: ['cli/src/main-agent.ts'],
  outfile: next,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  // The source stays in memory as text, names included: they are what a stack trace shows.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  // Loaded by the first request or connection that needs them, from beside this script; most agents never do, and none the rest.
  external: ['undici', 'mysql2', '@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler', 'light-my-request'],
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
writeFileSync(next, escapeNonAscii(readFileSync(next, 'utf8')))
renameSync(next, out)
