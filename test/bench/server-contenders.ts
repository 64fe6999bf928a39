import { cpSync, writeFileSync } from 'node:fs'
import { request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import { join } from 'node:path'
import { launcher } from '../kit/narthex.ts'
import { findProgram, programVersion } from '../kit/packages.ts'
import { findFreePort, makeTemporaryDirectory, startProcess, waitFor, type RunningProcess } from '../kit/process.ts'
import type { ServerGuard } from './server-guard.ts'

// Our server and its peers, each with its default flags but for where it listens and stores, and what a bench says.

export interface ServerOptions {
  /** `prometheus.yml`; without, nothing is scraped. */
  readonly config?: string
  readonly guard?: ServerGuard
  /** Further ones of the program's own. */
  readonly flags?: readonly string[]
  /** A directory whose content is copied into the data directory before the program starts. */
  readonly data?: string
}

interface Place extends ServerOptions {
  readonly port: number
  readonly directory: string
}

export interface ServerContender {
  readonly name: string
  readonly version: string
  readonly durability: string
  readonly readyPath: string
  command(place: Place): { readonly program: string; readonly args: readonly string[] }
}

const readyTimeoutMs = 180_000
const askTimeoutMs = 120_000

function prometheusFlags({ port, directory, guard, flags: more = [] }: Place): string[] {
  const flags = [`--config.file=${directory}/prometheus.yml`, `--storage.tsdb.path=${directory}/data`]
  if (guard !== undefined) flags.push(`--web.config.file=${guard.webConfigFile}`)
  return [...flags, `--web.listen-address=127.0.0.1:${port}`, ...more]
}

const narthexServer: ServerContender = {
  name: 'Narthex server',
  version: process.env['npm_package_version'] ?? '',
  durability: '≤ 100 ms (log written before the answer, fsync every 100 ms)',
  readyPath: '/-/ready',
  command: (place) => ({ program: launcher, args: ['server', ...prometheusFlags(place)] }),
}

const prometheusServer: ServerContender = {
  name: 'Prometheus',
  version: programVersion('prometheus'),
  durability: 'the log since the last 128 MiB segment (fsync only there)',
  readyPath: '/-/ready',
  command: (place) => ({ program: installed('prometheus'), args: [...prometheusFlags(place), '--web.enable-remote-write-receiver'] }),
}

const victoriaMetrics: ServerContender = {
  name: 'VictoriaMetrics',
  version: programVersion('victoria-metrics', ['-version']),
  durability: 'the last seconds (no log; SIGKILL loses them too)',
  readyPath: '/health',
  command({ port, directory, config, guard, flags = [] }) {
    const args = [`-storageDataPath=${directory}/data`, `-httpListenAddr=127.0.0.1:${port}`, '-retentionPeriod=12', ...flags]
    if (config !== undefined) args.push(`-promscrape.config=${directory}/prometheus.yml`)
    if (guard !== undefined) {
      args.push('-tls', `-tlsCertFile=${guard.certificateFile}`, `-tlsKeyFile=${guard.keyFile}`)
      args.push(`-httpAuth.username=${guard.user}`, `-httpAuth.password=${guard.password}`)
    }
    return { program: installed('victoria-metrics'), args }
  },
}

/** Ours first. */
export const serverContenders = { narthex: narthexServer, prometheus: prometheusServer, victoria: victoriaMetrics } as const

function installed(binary: string): string {
  const path = findProgram(binary)
  if (path === undefined) throw new Error(`cannot start ${binary}: it is not installed`)
  return path
}

/** A contender with a port and a directory of its own; it can be killed and started again on both. */
export class BenchServer {
  readonly contender: ServerContender
  readonly port: number
  readonly url: string
  readonly dataDirectory: string
  readonly guard: ServerGuard | undefined
  readonly #command: { readonly program: string; readonly args: readonly string[] }
  readonly #temporary: { readonly path: string; remove(): void }
  #running: RunningProcess

  private constructor(contender: ServerContender, place: Place, temporary: { readonly path: string; remove(): void }) {
    this.contender = contender
    this.port = place.port
    this.guard = place.guard
    this.url = `${place.guard === undefined ? 'http' : 'https'}://127.0.0.1:${place.port}`
    this.dataDirectory = join(place.directory, 'data')
    this.#command = contender.command(place)
    this.#temporary = temporary
    this.#running = this.#spawn()
  }

  static async start(contender: ServerContender, options: ServerOptions = {}): Promise<BenchServer> {
    const temporary = makeTemporaryDirectory('narthex-bench-')
    writeFileSync(join(temporary.path, 'prometheus.yml'), options.config ?? 'scrape_configs: []\n')
    if (options.data !== undefined) cpSync(options.data, join(temporary.path, 'data'), { recursive: true })
    const server = new BenchServer(contender, { ...options, port: await findFreePort(), directory: temporary.path }, temporary)
    try {
      await server.waitUntilReady()
    } catch (error) {
      await server.stop()
      throw error
    }
    return server
  }

  get pid(): number {
    return this.#running.pid
  }

  get directory(): string {
    return this.#temporary.path
  }

  async waitUntilReady(): Promise<void> {
    const isReady = async (): Promise<boolean> => (await this.ask(this.contender.readyPath)).status === 200
    await waitFor(`${this.contender.name} to be ready`, isReady, { process: this.#running, timeoutMs: readyTimeoutMs })
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#running.child.kill('SIGKILL')
    await this.#running.exited
  }

  /** Ends the program as a user would, starts it again and waits until it is ready. */
  async restart(): Promise<void> {
    await this.#running.stop(20_000)
    this.launch()
    await this.waitUntilReady()
  }

  /** Starts the program again where it was; does not wait for it. */
  launch(): void {
    this.#running = this.#spawn()
  }

  async stop(): Promise<void> {
    await this.#running.stop(20_000)
    this.#temporary.remove()
  }

  /** A GET, or a POST of a form; rejects if there is no connection. */
  ask(path: string, form?: Readonly<Record<string, string>>): Promise<{ readonly status: number; readonly body: string }> {
    const { guard } = this
    const headers: Record<string, string> = {}
    if (guard !== undefined) headers['Authorization'] = guard.authorization
    if (form !== undefined) headers['Content-Type'] = 'application/x-www-form-urlencoded'
    const options = {
      host: '127.0.0.1',
      port: this.port,
      path,
      method: form === undefined ? 'GET' : 'POST',
      headers,
      timeout: askTimeoutMs,
    }
    return new Promise((resolve, reject) => {
      const call = guard === undefined ? requestPlain(options) : requestTls({ ...options, ca: guard.certificate, servername: 'localhost' })
      call.once('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.once('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
        response.once('error', reject)
      })
      call.once('timeout', () => call.destroy(new Error(`cannot ask for ${path}: no answer within ${askTimeoutMs} ms`)))
      call.once('error', reject)
      call.end(form === undefined ? undefined : new URLSearchParams(form).toString())
    })
  }

  /** Value of one of the program's own metrics without labels; of several series of the name, their sum. Undefined if there is none. */
  async metric(name: string): Promise<number | undefined> {
    const { body } = await this.ask('/metrics')
    const values = [...body.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'gm'))].map(([, value]) => Number(value))
    return values.length === 0 ? undefined : values.reduce((total, value) => total + value, 0)
  }

  /** The one value of an instant query; undefined if there is no result. Throws the server's text. */
  async queryValue(query: string, timeMs: number): Promise<number | undefined> {
    const { status, body } = await this.ask('/api/v1/query', { query, time: String(timeMs / 1000) })
    if (status !== 200) throw new Error(`cannot query ${this.contender.name}: ${status} ${body.slice(0, 300)}`)
    const answer = JSON.parse(body) as { data: { result: { value: [number, string] }[] } }
    const [first] = answer.data.result
    return first === undefined ? undefined : Number(first.value[1])
  }

  #spawn(): RunningProcess {
    return startProcess(this.#command.program, this.#command.args, { cwd: this.#temporary.path })
  }
}
