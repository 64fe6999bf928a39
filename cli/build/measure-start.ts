import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'

// sh bin/with-runtime cli/build/measure-start.ts [RUNS]: how long the single binary and the clone take from their start to the first
// `/-/ready` of an empty server, and what they hold of memory when idle. Wants the executable of npm run release; Linux only.

const repository = join(import.meta.dirname, '..', '..')
const programs: Readonly<Record<string, string>> = {
  executable: join(repository, 'build', 'release', 'narthex-linux-x64'),
  'bin/narthex': join(repository, 'bin', 'narthex'),
}
const idleMs = 3_000
const readyMsMax = 30_000

interface Start {
  readonly readyMs: number
  readonly residentMb: number
  /** Without the pages of the executable's file, which the kernel may drop and processes share. */
  readonly ownMb: number
}

async function measureStart(program: string): Promise<Start> {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-start-'))
  const port = await findFreePort()
  writeFileSync(join(directory, 'prometheus.yml'), 'global: {}\n')
  const startedMs = performance.now()
  const child = spawn(program, ['server', `--web.listen-address=127.0.0.1:${port}`], { cwd: directory, stdio: 'ignore' })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  try {
    while (!(await isReady(port))) {
      if (child.exitCode !== null) throw new Error(`cannot measure ${program}: it ended with exit ${child.exitCode}`)
      if (performance.now() - startedMs > readyMsMax) throw new Error(`cannot measure ${program}: not ready within ${readyMsMax} ms`)
      await delay(2)
    }
    const readyMs = performance.now() - startedMs
    await delay(idleMs)
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
    const readMb = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
    return { readyMs, residentMb: readMb('VmRSS'), ownMb: readMb('RssAnon') }
  } finally {
    child.kill('SIGTERM')
    await exited
    rmSync(directory, { recursive: true, force: true })
  }
}

function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/-/ready' }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.once('error', () => resolve(false))
  })
}

async function findFreePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >>> 1]!
}

async function main(runs: number): Promise<void> {
  const starts = new Map<string, Start[]>()
  for (const [name, program] of Object.entries(programs)) {
    if (!existsSync(program)) throw new Error(`cannot measure ${name}: want ${program}, got none: npm run release -- linux-x64`)
    // Warms file cache and compile cache.
    await measureStart(program)
    starts.set(name, [])
  }
  // In turns, so that a busy minute of the machine hits all alike.
  for (let run = 0; run < runs; run++) for (const [name, program] of Object.entries(programs)) starts.get(name)!.push(await measureStart(program))
  console.log(`${runs} starts each, ${cpus().length} × ${cpus()[0]?.model}, Node.js ${process.version}`)
  console.log('| program | ready, median (least) ms | resident MB idle | of it own (anonymous) |\n| --- | --- | --- | --- |')
  for (const [name, list] of starts) {
    const ready = list.map(({ readyMs }) => readyMs)
    const [resident, own] = [median(list.map((start) => start.residentMb)), median(list.map((start) => start.ownMb))]
    console.log(`| ${name} | ${median(ready).toFixed(0)} (${Math.min(...ready).toFixed(0)}) | ${resident.toFixed(0)} | ${own.toFixed(0)} |`)
  }
}

await main(Number(process.argv[2] ?? 9))
