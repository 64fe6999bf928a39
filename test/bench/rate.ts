import { LoadSource, ReadyRequests } from './load-source.ts'
import { describeMachine, watchPeakMemory } from './measure.ts'
import { sendLoad } from './send-load.ts'
import type { BenchServer } from './server-contenders.ts'
import { eachServer, makeRow, ratio, readStorageArguments, startCpuClock, type ContenderKey } from './storage-bench.ts'
import { formatTable, type BenchRow } from './table.ts'

// The highest rate that a server keeps up with all cores: 100,000 known series, all requests made before and kept in memory, so that the sender
// does little more than write them to sockets. Each program is tried with few and with many connections, in turns; its best turn counts.

const seriesCount = 100_000
const samplesPerRequest = 2_000
const stepMs = 15_000
const warmUpSteps = 10
const connectionCounts = [2, 4, 16]

interface Figures {
  readonly row: BenchRow
  readonly samplesPerSecond: number
  readonly connections: number
  readonly refusals: number
}

export async function benchRate(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds, keys } = readStorageArguments(args, ['narthex', 'victoria', 'prometheus'])
  const chosen = args.includes('prometheus') ? keys : keys.filter((key) => key !== 'prometheus')
  const steps = isSmoke ? 12 : warmUpSteps + 200
  console.log(describeMachine())
  console.log(
    `rate: remote-write 1.0, ${seriesCount} series, ${samplesPerRequest} samples a request, ${warmUpSteps} + ${steps - warmUpSteps} rounds from memory\n`,
  )
  const startMs = Date.now() - (steps + 1) * stepMs
  const source = await LoadSource.start({ kind: 'pods', options: { seriesCount, samplesPerRequest, startMs, stepMs }, steps })
  const requests = await source.take(source.requestsPerStep * steps)
  const { requestsPerStep } = source
  const warmUp = new ReadyRequests(requests.slice(0, requestsPerStep * warmUpSteps), requestsPerStep)
  const measured = new ReadyRequests(requests.slice(requestsPerStep * warmUpSteps), requestsPerStep)
  await source.stop()
  const turns: Figures[] = []
  const best: Partial<Record<ContenderKey, Figures>> = {}
  for (const connections of isSmoke ? [4] : connectionCounts) {
    const figures = await eachServer(chosen, (server) => measure(server, warmUp, measured, connections))
    for (const key of chosen) {
      const turn = figures[key]!
      turns.push(turn)
      if (turn.samplesPerSecond > (best[key]?.samplesPerSecond ?? 0)) best[key] = turn
    }
  }
  console.log(formatTable(chosen.map((key) => best[key]!.row)))
  console.log('\n| program | connections | samples a second | asked to come again |\n| --- | --- | --- | --- |')
  for (const { row, samplesPerSecond, connections, refusals } of turns) {
    console.log(`| ${row.name} ${row.version} | ${connections} | ${(samplesPerSecond / 1e3).toFixed(0)} k | ${refusals} |`)
  }
  const { narthex, victoria } = best
  if (narthex === undefined) return true
  bounds.atLeast('highest rate / VictoriaMetrics', ratio(narthex.samplesPerSecond, victoria?.samplesPerSecond), 1.5, '×')
  return bounds.print()
}

async function measure(server: BenchServer, warmUp: ReadyRequests, measured: ReadyRequests, connections: number): Promise<Figures> {
  warmUp.begin()
  measured.begin()
  await sendLoad(warmUp, server, { connections })
  const memory = watchPeakMemory(server.pid)
  const cpu = startCpuClock(server.pid)
  const { seconds, refusals } = await sendLoad(measured, server, { connections })
  const samples = measured.length * samplesPerRequest
  const samplesPerSecond = samples / seconds
  const row = makeRow(server.contender, { samples, cpuSeconds: cpu(), peakBytes: memory.stop(), wallSeconds: seconds })
  return { row, samplesPerSecond, connections, refusals }
}
