import { build } from 'esbuild'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
const [entry, out] = process.argv.slice(2)
const r = await build({ absWorkingDir: '/work/main', entryPoints: [entry!], outfile: out!, bundle: true, platform: 'node', target: 'node24', format: 'cjs', keepNames: true, legalComments: 'none', logLevel: 'warning', metafile: true,
 plugins: [{ name: 'places', setup({ onLoad }) { onLoad({ filter: /\.(ts|js|mjs)$/ }, ({ path }) => { const text = readFileSync(path, 'utf8'); if (!text.includes('import.meta.')) return undefined; return { contents: text.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)).replaceAll('import.meta.dirname', JSON.stringify(dirname(path))).replaceAll('import.meta.filename', JSON.stringify(path)), loader: path.endsWith('.ts') ? 'ts' : 'js' } }) } }] })
const by: Record<string, number> = {}
for (const o of Object.values(r.metafile!.outputs)) for (const [p, { bytesInOutput }] of Object.entries(o.inputs)) { const k = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(p)?.[1] ?? p.split('/').slice(0, 2).join('/'); by[k] = (by[k] ?? 0) + bytesInOutput }
console.log(out, Object.values(r.metafile!.outputs).map((o) => o.bytes), Object.entries(by).sort((a, b) => b[1] - a[1]).slice(0, 8))
