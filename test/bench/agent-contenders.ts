import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { programVersion } from '../kit/packages.ts'
import { answersOk, findFreePort, makeTemporaryDirectory, startProcess, waitFor } from '../kit/process.ts'
import { startPrometheus, startVmagent } from '../kit/services.ts'

// Our agent and its peers, each with its default flags but for where it listens and stores, and what a bench says.

export interface StartedAgent {
  readonly pid: number
  readonly dataDirectory: string
  stop(): Promise<void>
}

export interface AgentConfig {
  /** `global` and `scrape_configs`. */
  readonly scrape: string
  readonly sinkUrl: string
  /** Longest wait for a full batch; each program's default if undefined. */
  readonly flushMs?: number
  /** Largest answer that vmagent is to take; the others have no such bound. */
  readonly bodyBytesMax?: number
}

export interface AgentContender {
  readonly name: string
  readonly version: string
  readonly durability: string
  start(config: AgentConfig): Promise<StartedAgent>
}

const repository = join(import.meta.dirname, '..', '..')

function remoteWrite({ sinkUrl, flushMs }: AgentConfig): string {
  const queue = flushMs === undefined ? '' : `\n    queue_config: {batch_send_deadline: ${flushMs}ms}`
  return `remote_write:\n  - url: ${sinkUrl}${queue}\n`
}

export const agentContenders: readonly AgentContender[] = [
  {
    name: 'Narthex agent',
    version: process.env['npm_package_version'] ?? '',
    durability: '≤ 100 ms (log written at once, fsync every 100 ms)',
    async start(config) {
      const temporary = makeTemporaryDirectory('narthex-bench-')
      const port = await findFreePort()
      writeFileSync(join(temporary.path, 'agent.yml'), config.scrape + remoteWrite(config))
      const flags = [`--config.file=${temporary.path}/agent.yml`, `--storage.agent.path=${temporary.path}/data`]
      const running = startProcess(join(repository, 'bin', 'narthex'), ['agent', ...flags, `--web.listen-address=127.0.0.1:${port}`])
      await waitFor('the agent to be ready', () => answersOk(`http://127.0.0.1:${port}/-/ready`), { process: running, timeoutMs: 60_000 })
      const stop = async () => {
        await running.stop(10_000)
        temporary.remove()
      }
      return { pid: running.pid, dataDirectory: join(temporary.path, 'data'), stop }
    },
  },
  {
    name: 'Prometheus agent',
    version: programVersion('prometheus'),
    durability: 'the log since the last 128 MiB segment; a restart skips what was not sent',
    async start(config) {
      const service = await startPrometheus({ config: config.scrape + remoteWrite(config), agent: true })
      return { pid: service.process.pid, dataDirectory: join(service.directory, 'data'), stop: () => service.stop() }
    },
  },
  {
    name: 'vmagent',
    version: programVersion('vmagent', ['-version']),
    durability: 'blocks in memory and in flight (SIGKILL loses them too)',
    async start({ scrape, sinkUrl, flushMs, bodyBytesMax }) {
      const args = [
        ...(flushMs === undefined ? [] : [`-remoteWrite.flushInterval=${flushMs}ms`]),
        ...(bodyBytesMax === undefined ? [] : [`-promscrape.maxScrapeSize=${bodyBytesMax}`]),
      ]
      const service = await startVmagent(scrape, sinkUrl, args)
      return { pid: service.process.pid, dataDirectory: join(service.directory, 'queue'), stop: () => service.stop() }
    },
  },
]

/** The contenders that a bench's arguments name; all without. */
export function chooseContenders(args: readonly string[]): readonly AgentContender[] {
  const only = args.find((argument) => !argument.startsWith('-'))?.toLowerCase()
  return agentContenders.filter(({ name }) => only === undefined || name.toLowerCase().includes(only))
}
