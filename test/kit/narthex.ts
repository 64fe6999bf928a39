import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { answersOk, findFreePort, makeTemporaryDirectory, startProcess, waitFor, type RunningProcess } from './process.ts'

export const repository = join(import.meta.dirname, '..', '..')
export const launcher = join(repository, 'bin', 'narthex')

/** One of our own programs, started through the launcher as a user starts it. */
export interface NarthexProcess extends RunningProcess {
  readonly url: string
  readonly port: number
  readonly directory: string
  /** Stops the program and deletes its directory. */
  remove(): Promise<void>
}

export interface NarthexOptions {
  /** `prometheus.yml`; absent for `up` with its built-in one. */
  readonly config?: string
  readonly args?: readonly string[]
  /** Further files beside the configuration: name → text. */
  readonly files?: Readonly<Record<string, string>>
  /** Use this directory (of an earlier process) instead of a new one. */
  readonly directory?: string
  readonly port?: number
  /** The single binary instead of the launcher. */
  readonly executable?: string
  /** Which answer is waited for; default `ready`. */
  readonly until?: 'healthy' | 'ready'
}

const storageFlag = { up: 'storage.path', server: 'storage.tsdb.path', agent: 'storage.agent.path' } as const

/** Starts `narthex up|server|agent` on a free loopback port with a private directory and waits until it is ready. */
export async function startNarthex(command: keyof typeof storageFlag, options: NarthexOptions = {}): Promise<NarthexProcess> {
  const temporary = options.directory === undefined ? makeTemporaryDirectory('narthex-own-') : undefined
  const directory = options.directory ?? temporary!.path
  mkdirSync(directory, { recursive: true })
  const port = options.port ?? (await findFreePort())
  const flags = [`--web.listen-address=127.0.0.1:${port}`, `--${storageFlag[command]}=${join(directory, 'data')}`]
  if (options.config !== undefined) {
    writeFileSync(join(directory, 'prometheus.yml'), options.config)
    flags.push(`--config.file=${join(directory, 'prometheus.yml')}`)
  }
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(directory, name), text)
  const running = startProcess(options.executable ?? launcher, [command, ...flags, ...(options.args ?? [])], { cwd: directory })
  const url = `http://127.0.0.1:${port}`
  try {
    await waitFor(`narthex ${command}`, () => answersOk(`${url}/-/${options.until ?? 'ready'}`), { process: running, timeoutMs: 60_000 })
  } catch (error) {
    await running.stop()
    temporary?.remove()
    throw error
  }
  return {
    ...running,
    url,
    port,
    directory,
    async remove() {
      await running.stop(6_000)
      temporary?.remove()
    },
  }
}

interface ApiEnvelope<Data> {
  readonly status: string
  readonly data: Data
  readonly error?: string
}

/** `data` of an API answer; throws the server's error text. */
export async function askApi<Data>(url: string, path: string, parameters: Record<string, string> = {}): Promise<Data> {
  const target = new URL(path, `${url}/`)
  for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, value)
  const response = await fetch(target)
  const body = (await response.json()) as ApiEnvelope<Data>
  if (body.status !== 'success') throw new Error(`${response.status} ${body.error}`)
  return body.data
}

export interface VectorEntry {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [number, string]
}

export async function queryVector(url: string, query: string, time?: number): Promise<readonly VectorEntry[]> {
  const data = await askApi<{ result: readonly VectorEntry[] }>(url, 'api/v1/query', {
    query,
    ...(time === undefined ? {} : { time: String(time) }),
  })
  return data.result
}

export interface MatrixEntry {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [number, string])[]
}

export async function queryMatrix(url: string, query: string, start: number, end: number, step: number): Promise<readonly MatrixEntry[]> {
  const parameters = { query, start: String(start), end: String(end), step: String(step) }
  return (await askApi<{ result: readonly MatrixEntry[] }>(url, 'api/v1/query_range', parameters)).result
}
