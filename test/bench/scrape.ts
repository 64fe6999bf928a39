import { spawn, type ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { programVersion } from '../kit/packages.ts'
import { answersOk, findFreePort, makeTemporaryDirectory, startProcess, waitFor } from '../kit/process.ts'
import { startPrometheus, startVmagent } from '../kit/services.ts'
import { describeMachine, directoryBytes, readTreeUsage, watchPeakMemory } from './measure.ts'
import { formatBound, formatTable, type BenchRow } from './table.ts'

// 100 targets × 1,000 lines of real node_exporter text every second, a third of the values new each time, written to a
// sink that decodes and counts. Targets and sink are processes of their own: their cost is not counted.

const targetCount = 100
const linesPerTarget = 1_000
const warmUpSeconds = 15
const measuredSeconds = 40

const repository = join(import.meta.dirname, '..', '..')

interface Contender {
  name: string
  version: string
  durability: string
  start(config: string, sinkUrl: string): Promise<{ pid: number; dataDirectory: string; stop(): Promise<void> }>
}

const contenders: Contender[] = [
  {
    name: 'Narthex agent',
    version: process.env['npm_package_version'] ?? '',
    durability: '≤ 100 ms (log written at once, fsync every 100 ms)',
    async start(config, sinkUrl) {
      const temporary = makeTemporaryDirectory('narthex-bench-')
      const port = await findFreePort()
      writeFileSync(join(temporary.path, 'agent.yml'), `${config}remote_write:\n  - url: ${sinkUrl}\n`)
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
    async start(config, sinkUrl) {
      const service = await startPrometheus({ config: `${config}remote_write:\n  - url: ${sinkUrl}\n`, agent: true })
      return { pid: service.process.pid, dataDirectory: join(service.directory, 'data'), stop: () => service.stop() }
    },
  },
  {
    name: 'vmagent',
    version: programVersion('vmagent', ['-version']),
    durability: 'blocks in memory and in flight (SIGKILL loses them too)',
    async start(config, sinkUrl) {
      const service = await startVmagent(config, sinkUrl)
      return { pid: service.process.pid, dataDirectory: join(service.directory, 'queue'), stop: () => service.stop() }
    },
  },
]

export async function benchScrape(args: readonly string[]): Promise<boolean> {
  const only = args.find((argument) => !argument.startsWith('-'))
  console.log(describeMachine())
  console.log(`scrape: ${targetCount} targets × ${linesPerTarget} lines every second, ${warmUpSeconds} + ${measuredSeconds} s\n`)
  const rows: BenchRow[] = []
  for (const contender of contenders) {
    if (only && !contender.name.toLowerCase().includes(only.toLowerCase())) continue
    rows.push(await measure(contender))
    console.error(
      `${contender.name}: ${rows.at(-1)!.cpuSecondsPerMillion.toFixed(3)} CPU-s/M, ${(rows.at(-1)!.peakBytes / 1e6).toFixed(0)} MB`,
    )
  }
  console.log(formatTable(rows))
  const [ours, prometheus, vmagent] = rows
  if (!ours || !prometheus || !vmagent) return true
  console.log('')
  const bounds: [string, number, number, string][] = [
    ['scrape CPU / Prometheus agent', ours.cpuSecondsPerMillion / prometheus.cpuSecondsPerMillion, 0.3, '×'],
    ['scrape CPU / vmagent', ours.cpuSecondsPerMillion / vmagent.cpuSecondsPerMillion, 0.8, '×'],
    ['agent RSS', ours.peakBytes / 1e6, 150, 'MB'],
  ]
  for (const [what, value, most, unit] of bounds) console.log(formatBound(what, value, most, unit))
  return bounds.every(([, value, most]) => value <= most)
}

async function measure(contender: Contender): Promise<BenchRow> {
  const targets = await Helper.start('scrape-targets.ts', [String(targetCount), String(linesPerTarget)])
  const sink = await Helper.start('scrape-sink.ts', [])
  const addresses = Array.from({ length: targetCount }, (_, target) => `127.0.0.${target + 1}:${targets.port}`)
  const scrape = `scrape_configs:\n  - job_name: node\n    static_configs:\n      - targets: [${addresses.map((address) => `'${address}'`).join(', ')}]\n`
  const config = `global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n${scrape}`
  let agent
  try {
    agent = await contender.start(config, `http://127.0.0.1:${sink.port}/api/v1/write`)
    const memory = watchPeakMemory(agent.pid)
    await sleep(warmUpSeconds * 1000)
    const before = { usage: readTreeUsage(agent.pid), samples: await sink.count(), answers: await targets.count(), at: performance.now() }
    await sleep(measuredSeconds * 1000)
    const after = { usage: readTreeUsage(agent.pid), samples: await sink.count(), answers: await targets.count(), at: performance.now() }
    const samples = after.samples - before.samples
    const scraped = (after.answers - before.answers) * linesPerTarget
    // Both ends must agree, or the program measured did less than the others.
    if (samples < scraped * 0.97) console.error(`${contender.name}: ${scraped} samples were scraped, only ${samples} arrived`)
    return {
      name: contender.name,
      version: contender.version,
      durability: contender.durability,
      samples,
      cpuSecondsPerMillion: (after.usage.cpuSeconds - before.usage.cpuSeconds) / (samples / 1e6),
      peakBytes: memory.stop(),
      diskBytes: directoryBytes(agent.dataDirectory),
      wallSeconds: (after.at - before.at) / 1000,
    }
  } finally {
    await agent?.stop()
    await targets.stop()
    await sink.stop()
  }
}

/** A child that says `ready PORT`, and answers each line with its count. */
class Helper {
  readonly port: number
  readonly #child: ChildProcess
  readonly #lines: Interface

  private constructor(child: ChildProcess, lines: Interface, port: number) {
    this.#child = child
    this.#lines = lines
    this.port = port
  }

  static async start(file: string, args: readonly string[]): Promise<Helper> {
    const child = spawn(process.execPath, [join(import.meta.dirname, file), ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })
    const first = await nextLine(lines, child)
    return new Helper(child, lines, Number(/^ready (\d+)$/.exec(first)?.[1]))
  }

  async count(): Promise<number> {
    this.#child.stdin?.write('count\n')
    return Number(/\d+/.exec(await nextLine(this.#lines, this.#child))?.[0])
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await gone
  }
}

function nextLine(lines: Interface, child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    lines.once('line', resolve)
    child.once('exit', (code) => reject(new Error(`cannot read from a bench process: it ended with ${code}`)))
  })
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
