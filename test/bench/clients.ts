import { makeTemporaryDirectory } from '../kit/process.ts'
import { LoadSource, type LoadRequest } from './load-source.ts'
import { describeMachine, watchPeakMemory } from './measure.ts'
import { percentile } from './send-load.ts'
import { BenchServer, serverContenders } from './server-contenders.ts'
import { makeServerGuard, type ServerGuard } from './server-guard.ts'
import { makeRow, ratio, readStorageArguments, startCpuClock, type ContenderKey } from './storage-bench.ts'
import { formatTable, type BenchRow } from './table.ts'
import { WriteConnection } from './write-connection.ts'
import type { WriteProtocol } from './write-message.ts'

// 500 clients, each with a TLS connection that it keeps and a password, send the 200 series of one pod each second: remote write 1.0 to ours and
// to VictoriaMetrics, which knows no other, and 2.0 to ours. No two clients are in step. All requests are made before; the handshakes and the
// first seconds are not counted.

const stepMs = 15_000
const seriesPerClient = 200
const intervalMs = 1_000

interface Size {
  readonly clients: number
  readonly warmUpSteps: number
  readonly measuredSteps: number
}

interface Figures {
  readonly row: BenchRow
  readonly answerP99Ms: number
}

export async function benchClients(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds, keys } = readStorageArguments(args, ['narthex', 'victoria', 'prometheus'])
  const chosen = args.includes('prometheus') ? keys : keys.filter((key) => key !== 'prometheus')
  const size = isSmoke ? { clients: 50, warmUpSteps: 1, measuredSteps: 3 } : { clients: 500, warmUpSteps: 15, measuredSteps: 45 }
  console.log(describeMachine())
  console.log(
    `clients: ${size.clients} clients over TLS with a password, ${seriesPerClient} samples a request, one each second, ${size.warmUpSteps} + ${size.measuredSteps} s\n`,
  )
  const temporary = makeTemporaryDirectory('narthex-bench-')
  try {
    const guard = makeServerGuard(temporary.path)
    const ours = chosen.includes('narthex') ? await measure('narthex', 1, size, guard) : undefined
    const ours2 = chosen.includes('narthex') ? await measure('narthex', 2, size, guard) : undefined
    const victoria = chosen.includes('victoria') ? await measure('victoria', 1, size, guard) : undefined
    const prometheus = chosen.includes('prometheus') ? await measure('prometheus', 1, size, guard) : undefined
    const all = [ours, ours2, victoria, prometheus].filter((figures) => figures !== undefined)
    console.log(formatTable(all.map(({ row }) => row)))
    for (const { row, answerP99Ms } of all) console.log(`${row.name}: answers within ${answerP99Ms.toFixed(1)} ms (p99)`)
    if (ours === undefined || ours2 === undefined) return true
    const theirs = victoria?.row.cpuSecondsPerMillion
    bounds.atMost('CPU / VictoriaMetrics, remote write 1.0', ratio(ours.row.cpuSecondsPerMillion, theirs), 0.6, '×')
    bounds.atMost('CPU / VictoriaMetrics, remote write 2.0 / its 1.0', ratio(ours2.row.cpuSecondsPerMillion, theirs), 0.6, '×')
    return bounds.print()
  } finally {
    temporary.remove()
  }
}

async function measure(key: ContenderKey, protocol: WriteProtocol, size: Size, guard: ServerGuard): Promise<Figures> {
  const { clients, warmUpSteps, measuredSteps } = size
  const steps = warmUpSteps + measuredSteps
  const startMs = Date.now() - (steps + 1) * stepMs
  const options = { seriesCount: clients * seriesPerClient, samplesPerRequest: seriesPerClient, startMs, stepMs, protocol }
  const source = await LoadSource.start({ kind: 'pods', options, steps })
  const requests = await source.take(clients * steps)
  await source.stop()
  const server = await BenchServer.start(serverContenders[key], { guard })
  const opened: WriteConnection[] = []
  try {
    const memory = watchPeakMemory(server.pid)
    // One after the other: a real fleet does not begin in one moment either.
    while (opened.length < clients) opened.push(await WriteConnection.open({ port: server.port, guard, protocol }))
    await sendSteps(opened, requests, 0, warmUpSteps)
    const cpu = startCpuClock(server.pid)
    const beginMs = performance.now()
    const answerMs = await sendSteps(opened, requests, warmUpSteps, measuredSteps)
    const wallSeconds = (performance.now() - beginMs) / 1000
    const { contender, dataDirectory } = server
    const samples = clients * seriesPerClient * measuredSteps
    const figures = { samples, cpuSeconds: cpu(), peakBytes: memory.stop(), wallSeconds, dataDirectory }
    const row = { ...makeRow(contender, figures), name: `${contender.name} (${protocol}.0)` }
    // The directory holds the samples of the warm-up, too: no figure for a sample.
    return { row: { ...row, diskBytes: undefined }, answerP99Ms: percentile(answerMs, 0.99) }
  } finally {
    for (const connection of opened) connection.close()
    await server.stop()
  }
}

/** Each client's request of each step at the client's own moment of the second. */
async function sendSteps(
  opened: readonly WriteConnection[],
  requests: readonly LoadRequest[],
  firstStep: number,
  steps: number,
): Promise<Float64Array> {
  const clients = opened.length
  const answerMs = new Float64Array(clients * steps)
  const beginMs = performance.now()
  const work = async (connection: WriteConnection, client: number): Promise<void> => {
    for (let step = 0; step < steps; step++) {
      const dueMs = beginMs + (step + client / clients) * intervalMs
      const waitMs = dueMs - performance.now()
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
      const outcome = await connection.send(requests[(firstStep + step) * clients + client]!.body)
      answerMs[step * clients + client] = outcome.answerMs
    }
  }
  await Promise.all(opened.map(work))
  return answerMs
}
