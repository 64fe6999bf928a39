import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../../kit/packages.ts'
import { traceCommand } from './durable-sizes.ts'
import { answersOk, startProcess, waitFor, type RunningProcess } from '../../kit/process.ts'

// How each program that can be tortured is started on the same targets, receivers, directory and port.

export interface ProgramOptions {
  readonly targets: readonly string[]
  readonly remotes: readonly string[]
  /** Its data; the configuration is written beside it. */
  readonly directory: string
  readonly port: number
  readonly intervalMs: number
  /** Byte cap of the buffer on disk, for programs that have one. */
  readonly bytesMax?: number
  /** Our agent only. */
  readonly flags?: readonly string[]
  /** Traces the program's file writes into this file. */
  readonly traceFile?: string
  /** Lines under each `remote_write` entry. */
  readonly remoteSettings?: string
}

export interface Program {
  readonly name: string
  start(options: ProgramOptions): Promise<RunningProcess>
}

const repository = join(import.meta.dirname, '..', '..', '..')

function scrapeConfig({ targets, intervalMs }: ProgramOptions): string {
  const list = targets.map((target) => `'${target}'`).join(', ')
  return `global: {scrape_interval: ${intervalMs}ms, scrape_timeout: ${intervalMs}ms}
scrape_configs:
  - job_name: torture
    static_configs: [{targets: [${list}]}]
`
}

function remoteConfig({ remotes, remoteSettings }: ProgramOptions): string {
  const queue = 'queue_config: {batch_send_deadline: 100ms, max_backoff: 200ms, retry_on_http_429: true}'
  const entries = remotes.map((url, i) => `  - {url: '${url}', name: r${i}, remote_timeout: 2s, ${remoteSettings ?? queue}}\n`)
  return entries.length === 0 ? '' : `remote_write:\n${entries.join('')}`
}

async function startAndWait(what: string, binary: string, args: readonly string[], options: ProgramOptions): Promise<RunningProcess> {
  const [command, given] = options.traceFile === undefined ? [binary, args] : traceCommand(options.traceFile, binary, args)
  const running = startProcess(command, given, { cwd: repository })
  const url = `http://127.0.0.1:${options.port}/-/${what === 'vmagent' ? 'healthy' : 'ready'}`
  await waitFor(`${what} to be ready`, () => answersOk(url), { process: running, timeoutMs: 60_000, intervalMs: 10 })
  return running
}

function writeConfig(options: ProgramOptions, text: string): string {
  mkdirSync(options.directory, { recursive: true })
  const path = `${options.directory}.yml`
  writeFileSync(path, text)
  return path
}

const narthex: Program = {
  name: 'narthex',
  start(options) {
    const path = writeConfig(options, scrapeConfig(options) + remoteConfig(options))
    const cap = options.bytesMax === undefined ? [] : [`--storage.agent.max-bytes=${options.bytesMax}B`]
    const flags = [`--config.file=${path}`, `--storage.agent.path=${options.directory}`, `--web.listen-address=127.0.0.1:${options.port}`]
    return startAndWait(
      'narthex',
      join(repository, 'bin', 'narthex'),
      ['agent', ...flags, '--web.enable-lifecycle', ...cap, ...(options.flags ?? [])],
      options,
    )
  },
}

const prometheus: Program = {
  name: 'prometheus',
  start(options) {
    const path = writeConfig(options, scrapeConfig(options) + remoteConfig(options))
    const flags = [`--config.file=${path}`, `--storage.agent.path=${options.directory}`, `--web.listen-address=127.0.0.1:${options.port}`]
    return startAndWait('prometheus', requireProgram('prometheus'), ['--enable-feature=agent', '--web.enable-lifecycle', ...flags], options)
  },
}

const vmagent: Program = {
  name: 'vmagent',
  start(options) {
    const path = writeConfig(options, scrapeConfig(options))
    const cap = options.bytesMax === undefined ? [] : [`-remoteWrite.maxDiskUsagePerURL=${options.bytesMax}`]
    const remotes = options.remotes.flatMap((url) => [`-remoteWrite.url=${url}`])
    const flags = [
      `-promscrape.config=${path}`,
      `-httpListenAddr=127.0.0.1:${options.port}`,
      `-remoteWrite.tmpDataPath=${options.directory}`,
    ]
    const pace = ['-remoteWrite.flushInterval=100ms', '-remoteWrite.sendTimeout=2s', '-remoteWrite.queues=1']
    return startAndWait('vmagent', requireProgram('vmagent'), [...flags, ...remotes, ...pace, ...cap], options)
  },
}

function requireProgram(binary: string): string {
  const path = findProgram(binary)
  if (path === undefined) throw new Error(`cannot start ${binary}: it is not installed`)
  return path
}

const programs: readonly Program[] = [narthex, prometheus, vmagent]

export function findAgentProgram(name: string): Program {
  const program = programs.find((known) => known.name === name)
  if (program === undefined)
    throw new Error(`cannot torture ${JSON.stringify(name)}: want one of ${programs.map((known) => known.name).join(', ')}`)
  return program
}

/** Resident memory now, bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
}
