import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundle } from './bundle.ts'
import { buildPages } from './pages.ts'

// npm run build: the pages and the bundled programs, under build/.

const repository = join(import.meta.dirname, '..', '..')
const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string }

rmSync(join(repository, 'build', 'bundle'), { recursive: true, force: true })
await buildPages()
await bundle(join(repository, 'build', 'bundle'), { version, minify: true })
// The package that they lie in has modules.
writeFileSync(join(repository, 'build', 'bundle', 'package.json'), '{ "type": "commonjs" }\n')
console.log('build/bundle')
