import { writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { join } from 'node:path'
import snappy from 'snappy'
import { programVersion } from '../kit/packages.ts'
import { findFreePort, makeTemporaryDirectory, startProcess, waitFor, answersOk, type RunningProcess } from '../kit/process.ts'
import { post } from '../kit/remote-write.ts'
import { startPrometheus, startVictoriaMetrics } from '../kit/services.ts'
import { describeMachine, directoryBytes, readTreeUsage, watchPeakMemory } from './measure.ts'
import { RemoteWriteLoad } from './remote-write-load.ts'
import { formatBound, formatTable, type BenchRow } from './table.ts'

// Remote-write 1.0: 100,000 series of 10 labels, 70 % counters and 30 % gauges, 15 s steps, 2,000 samples a request over
// 2 connections, 10 rounds of warm-up, 40 measured; each program in turn gets the same bytes.

const seriesCount = 100_000
const samplesPerRequest = 2_000
const connections = 2
const warmUpRounds = 10
const measuredRounds = 40
const settleMs = 3_000

interface Contender {
  name: string
  version: string
  durability: string
  start(): Promise<{ pid: number; url: string; dataDirectory: string; stop(): Promise<void> }>
}

const repository = join(import.meta.dirname, '..', '..')

/** Starts `bin/narthex server` with default flags, but for where it listens and stores. */
export async function startNarthexServer(config = 'scrape_configs: []\n') {
  const temporary = makeTemporaryDirectory('narthex-bench-')
  const port = await findFreePort()
  writeFileSync(join(temporary.path, 'prometheus.yml'), config)
  const flags = [`--config.file=${temporary.path}/prometheus.yml`, `--storage.tsdb.path=${temporary.path}/data`]
  const running: RunningProcess = startProcess(join(repository, 'bin', 'narthex'), [
    'server',
    ...flags,
    `--web.listen-address=127.0.0.1:${port}`,
  ])
  const url = `http://127.0.0.1:${port}`
  await waitFor('narthex to be ready', () => answersOk(`${url}/-/ready`), { process: running, timeoutMs: 60_000 })
  const stop = async () => {
    await running.stop(10_000)
    temporary.remove()
  }
  return { pid: running.pid, url, dataDirectory: join(temporary.path, 'data'), running, stop }
}

const contenders: Contender[] = [
  {
    name: 'Narthex server',
    version: process.env['npm_package_version'] ?? '',
    durability: '≤ 100 ms (log written before the answer, fsync every 100 ms)',
    start: () => startNarthexServer(),
  },
  {
    name: 'Prometheus',
    version: programVersion('prometheus'),
    durability: 'the log since the last 128 MiB segment (fsync only there)',
    async start() {
      const service = await startPrometheus({ config: 'scrape_configs: []\n' })
      return { pid: service.process.pid, url: service.url, dataDirectory: join(service.directory, 'data'), stop: () => service.stop() }
    },
  },
  {
    name: 'VictoriaMetrics',
    version: programVersion('victoria-metrics', ['-version']),
    durability: 'the last seconds (no log; SIGKILL loses them too)',
    async start() {
      const service = await startVictoriaMetrics()
      return { pid: service.process.pid, url: service.url, dataDirectory: join(service.directory, 'data'), stop: () => service.stop() }
    },
  },
]

export async function benchIngest(args: readonly string[]): Promise<boolean> {
  const only = args.find((argument) => !argument.startsWith('-'))
  console.log(describeMachine())
  console.log(
    `ingest: remote-write 1.0, ${seriesCount} series, ${samplesPerRequest} samples a request, ${connections} connections, ${warmUpRounds} + ${measuredRounds} rounds\n`,
  )
  const rows: BenchRow[] = []
  for (const contender of contenders) {
    if (only && !contender.name.toLowerCase().includes(only.toLowerCase())) continue
    rows.push(await measure(contender))
    console.error(
      `${contender.name}: ${rows.at(-1)!.cpuSecondsPerMillion.toFixed(3)} CPU-s/M, ${(rows.at(-1)!.peakBytes / 1e6).toFixed(0)} MB`,
    )
  }
  console.log(formatTable(rows))
  const [ours, prometheus, victoria] = rows
  if (!ours || !prometheus || !victoria) return true
  const bounds: [string, number, number][] = [
    ['ingest CPU / Prometheus', ours.cpuSecondsPerMillion / prometheus.cpuSecondsPerMillion, 0.15],
    ['ingest CPU / VictoriaMetrics', ours.cpuSecondsPerMillion / victoria.cpuSecondsPerMillion, 0.8],
    ['ingest RSS / VictoriaMetrics', ours.peakBytes / victoria.peakBytes, 1],
  ]
  console.log('')
  for (const [what, value, most] of bounds) console.log(formatBound(what, value, most, '×'))
  return bounds.every(([, value, most]) => value <= most)
}

async function measure(contender: Contender): Promise<BenchRow> {
  const server = await contender.start()
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  try {
    const load = new RemoteWriteLoad(seriesCount, samplesPerRequest, Date.now() - (warmUpRounds + measuredRounds) * 15_000)
    const memory = watchPeakMemory(server.pid)
    for (let round = 0; round < warmUpRounds; round++) await sendRound(load, server.url, agent)
    const before = readTreeUsage(server.pid)
    const started = performance.now()
    for (let round = 0; round < measuredRounds; round++) await sendRound(load, server.url, agent)
    const wallSeconds = (performance.now() - started) / 1000
    // What the program does a moment later for these samples (merges, flushes, collections) is part of their cost.
    await new Promise((resolve) => setTimeout(resolve, settleMs))
    const after = readTreeUsage(server.pid)
    const samples = measuredRounds * seriesCount
    const peakBytes = memory.stop()
    return {
      name: contender.name,
      version: contender.version,
      durability: contender.durability,
      samples: samples + warmUpRounds * seriesCount,
      cpuSecondsPerMillion: (after.cpuSeconds - before.cpuSeconds) / (samples / 1e6),
      peakBytes,
      diskBytes: directoryBytes(server.dataDirectory),
      wallSeconds,
    }
  } finally {
    agent.destroy()
    await server.stop()
  }
}

/** One step of every series, each connection busy until the round is acknowledged. */
async function sendRound(load: RemoteWriteLoad, url: string, agent: Agent): Promise<void> {
  load.step()
  let next = 0
  const work = async () => {
    while (next < load.requestCount) await post(`${url}/api/v1/write`, snappy.compressSync(load.encode(next++)) as Buffer, agent)
  }
  await Promise.all(Array.from({ length: connections }, work))
}
