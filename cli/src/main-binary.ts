import { getRawAsset } from 'node:sea'
import { compileFunction } from 'node:vm'
import { statfsHelperCommand } from './statfs-helper-command.ts'

// What the single binary starts: it runs the script of the program that is asked for. The text of a script stays in memory, and that of all programs is
// 7 MB, of an exporter 0.5.

/** The scripts that lie in the binary load each other by these names. */
const embedded = /^\.\/(library-.+\.js)$/

const libraries = new Map<string, unknown>()

function load(name: string): unknown {
  const script = embedded.exec(name)?.[1]
  if (script === undefined) return require(name)
  if (!libraries.has(script)) libraries.set(script, run(script))
  return libraries.get(script)
}

/** Scripts are ASCII; each has what V8 compiled of it when the binary was built. */
function run(script: string): unknown {
  const module = { exports: {} }
  const source = Buffer.from(getRawAsset(script)).toString('latin1')
  const cachedData = new Uint8Array(getRawAsset(`${script}.cache`))
  const main = compileFunction(source, ['require', 'module', 'exports'], { filename: script, cachedData }) as (...values: unknown[]) => void
  main(load, module, module.exports)
  return module.exports
}

function chooseScript(command: string | undefined, kind: string | undefined): string {
  // Answered by the smallest program that can.
  if (command === statfsHelperCommand) return 'exporter-node.js'
  const exporters = ['container', 'mysql', 'nginx', 'node', 'redis']
  return command === 'exporter' && kind !== undefined && exporters.includes(kind) ? `exporter-${kind}.js` : 'main.js'
}

run(chooseScript(process.argv[2], process.argv[3]))
