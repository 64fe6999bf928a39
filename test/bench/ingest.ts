import { Agent } from 'node:http'
import snappy from 'snappy'
import { post } from '../kit/remote-write.ts'
import { describeMachine, directoryBytes, readTreeUsage, watchPeakMemory } from './measure.ts'
import { RemoteWriteLoad } from './remote-write-load.ts'
import { BenchServer, serverContenders, type ServerContender } from './server-contenders.ts'
import { formatBound, formatTable, type BenchRow } from './table.ts'

// Remote-write 1.0: 100,000 series of 10 labels, 70 % counters and 30 % gauges, 15 s steps, 2,000 samples a request over
// 2 connections, 10 rounds of warm-up, 40 measured; each program in turn gets the same bytes.

const seriesCount = 100_000
const samplesPerRequest = 2_000
const connections = 2
const warmUpRounds = 10
const measuredRounds = 40
const settleMs = 3_000

export async function benchIngest(args: readonly string[]): Promise<boolean> {
  const only = args.find((argument) => !argument.startsWith('-'))
  console.log(describeMachine())
  console.log(
    `ingest: remote-write 1.0, ${seriesCount} series, ${samplesPerRequest} samples a request, ${connections} connections, ${warmUpRounds} + ${measuredRounds} rounds\n`,
  )
  const rows: BenchRow[] = []
  for (const contender of Object.values(serverContenders)) {
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

async function measure(contender: ServerContender): Promise<BenchRow> {
  const server = await BenchServer.start(contender)
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
