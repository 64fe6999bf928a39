import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { statfsHelperCommand } from '../src/statfs-helper-command.ts'
import { bundle, entryPoints, exporterNames, libraryScripts, workerNames } from './bundle.ts'
import { findPackageDirectory, formatNotices } from './notices.ts'

const repository = join(import.meta.dirname, '..', '..')

/** Path and code (without comments) of what is shipped and runs in Node.js. */
const sources = globSync('{common/*,exporters/*,agent,remote-write/*,cli}/src/**/*.ts', { cwd: repository })
  .filter((path) => !/\.(test|bench|test-\w+)\.ts$|^remote-write\/web\//.test(path))
  .map((path) => ({ path, code: readFileSync(join(repository, path), 'utf8').replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '') }))

test('every worker that the sources start by name is an entry point, and no other is', () => {
  const started = sources.flatMap(({ code }) => [...code.matchAll(/\bspawnWorker\(\s*'([^']+)'/g)].map(([, name]) => name!))
  expect(new Set(started)).toEqual(new Set(workerNames))
  for (const [name, file] of Object.entries(entryPoints)) expect(existsSync(join(repository, file)), `${name}: ${file}`).toBe(true)
})

test('workers are started through spawnWorker alone, which finds them in the single binary', () => {
  const others = sources.filter(({ code }) => /\bnew Worker\(/.test(code)).map(({ path }) => path)
  expect(others).toEqual(['common/service/src/worker.ts'])
})

test('the bundles are scripts of one byte per character that are strict, know their version and load nothing from outside; exporters are light', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-bundle-'))
  try {
    const files = await bundle(directory, { version: '1.2.3-test', minify: true })
    for (const name of Object.keys(entryPoints)) {
      const bytes = readFileSync(join(directory, `${name}.js`))
      expect(bytes.findIndex((byte) => byte > 127), name).toBe(-1)
      expect(bytes.toString('latin1').startsWith("(() => {'use strict';"), name).toBe(true)
    }
    expect(readFileSync(join(directory, 'main.js'), 'latin1')).toContain('1.2.3-test')
    for (const name of exporterNames) {
      const text = readFileSync(join(directory, `exporter-${name}.js`), 'latin1')
      expect([/fastify/i, /yargs/i].map((library) => library.test(text)), name).toEqual([false, false])
      const { status, stdout } = spawnSync(process.execPath, [join(directory, `exporter-${name}.js`), 'exporter', name, '--version'])
      expect([status, stdout.toString()], name).toEqual([0, expect.stringContaining('1.2.3-test')])
    }
    // Their text stays in memory: what few need is beside it, and loads from there.
    for (const name of exporterNames) expect(statSync(join(directory, `exporter-${name}.js`)).size, name).toBeLessThan(600_000)
    for (const name of libraryScripts) {
      const { stdout, stderr } = spawnSync(process.execPath, ['-p', `Object.keys(require('./${name}')).length > 0`], { cwd: directory })
      expect([name, stdout.toString(), stderr.toString()]).toEqual([name, 'true\n', ''])
    }
    const { stdout: loaded } = spawnSync(process.execPath, ['-p', mysqlModules], { cwd: directory })
    expect(loaded.toString()).toBe("[ [], 'ER_ACCESS_DENIED_ERROR' ]\n")
    // Mounts that may hang are looked at by another process of the same script.
    const helper = spawnSync(process.execPath, [join(directory, 'exporter-node.js'), statfsHelperCommand], { input: '"/"\n' })
    expect(helper.stdout.toString()).toMatch(/^\d+( \d+){5}\n$/)
    const packages = new Set(files.map(findPackageDirectory).filter((found) => found !== undefined))
    expect(packages).toContain(join(repository, 'node_modules', 'fastify'))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

/** What a connection to MySQL loads of Node.js, and whether errors are still named. */
const mysqlModules = `
  const before = new Set(process.moduleLoadList)
  const { createConnection } = require('./library-mysql2.js')
  const { Duplex } = require('node:stream')
  const connection = createConnection({ stream: new Duplex({ read() {}, write(chunk, encoding, done) { done() } }) })
  const early = ['crypto', 'tls', 'zlib']
    .map((name) => 'NativeModule ' + name)
    .filter((name) => process.moduleLoadList.includes(name) && !before.has(name))
  let code
  connection.on('error', (error) => (code = error.code))
  // ┌ length 3 B ┬ number ┬ 0xff ┬ error 1045 ┬ text
  const text = Buffer.from('#28000no')
  connection.stream.emit('data', Buffer.concat([Buffer.from([3 + text.length, 0, 0, 0, 0xff, 0x15, 0x04]), text]))
  ;[early, code]
`

test('the notices name a package with its licence text, once', () => {
  const fastify = join(repository, 'node_modules', 'fastify')
  const text = formatNotices([join(fastify, 'fastify.js'), join(fastify, 'lib', 'route.js'), join(repository, 'cli/src/main.ts')], fastify)
  expect(text.match(/^fastify \d+\.\d+\.\d+ \(MIT\)$/gm)).toHaveLength(1)
  expect(text).toContain(readFileSync(join(fastify, 'LICENSE'), 'utf8').trim())
  expect(text).not.toContain('@narthex')
})
