import { ChurnLoad } from './churn-load.ts'
import { HeadCutWatch, type AfterCut } from './head-cut-watch.ts'
import { LoadSource } from './load-source.ts'
import { describeMachine, watchPeakMemory } from './measure.ts'
import { metricsPerPod } from './remote-write-load.ts'
import { eachServerAndRestarts, startOnce, type Expected } from './restart.ts'
import { percentile, sendLoad, type SentLoad } from './send-load.ts'
import type { BenchServer } from './server-contenders.ts'
import { makeRow, ratio, readStorageArguments, startCpuClock } from './storage-bench.ts'
import { formatTable, type BenchRow } from './table.ts'
import { waitUntilCompacted } from './wait-until-compacted.ts'

// 100,000 active series of which a fifth is replaced every ten minutes, a sample a minute, in the order of time. Six hours make two cuts of the
// head: Prometheus gets those as fast as it takes them, for the restart after SIGKILL alone. Ours gets twelve hours, so that there are cuts
// after the second one, at a steady pace of 300,000 samples a second of this clock: four minutes.

const replaceEveryMs = 10 * 60_000
const stepMs = 60_000
const samplesPerRequest = 2_000
const rangeMs = 2 * 3600_000
/** More than can wait at the pace: a request that is late does not make the next ones late. */
const pacedConnections = 8
const quickConnections = 2
/** How much more memory than after the second cut there may be after a later one. */
const flatShare = 1.05

interface Size {
  readonly seriesCount: number
  readonly hours: number
  readonly requestsPerSecond: number
}

interface Figures {
  readonly row: BenchRow
  readonly sent: SentLoad
  readonly seriesCreated: number
  readonly afterCuts: readonly AfterCut[]
  readonly expected: Expected
}

export async function benchChurn(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds, keys } = readStorageArguments(args, ['narthex', 'prometheus'])
  const seriesCount = isSmoke ? 2_000 : 100_000
  const sizes = {
    narthex: { seriesCount, hours: isSmoke ? 2 : 12, requestsPerSecond: isSmoke ? 50 : 150 },
    prometheus: { seriesCount, hours: isSmoke ? 2 : 6, requestsPerSecond: Infinity },
  }
  console.log(describeMachine())
  console.log(`churn: ${seriesCount} active series, a fifth new every ${replaceEveryMs / 60_000} min, a sample each ${stepMs / 1000} s\n`)
  await startOnce()
  const { figures, restarts } = await eachServerAndRestarts(keys, (server, key) =>
    measure(server, key === 'narthex' ? sizes.narthex : sizes.prometheus),
  )
  const all = Object.values(figures)
  console.log(formatTable(all.map(({ row }) => row)))
  for (const { row, seriesCreated, sent, afterCuts } of all) {
    const delays = [sent.answerMs, sent.dueMs].map((values) => percentile(values, 0.99).toFixed(1))
    console.log(
      `\n${row.name}: ${seriesCreated} series in all; append p99 ${delays[0]} ms from the last byte, ${delays[1]} ms from the moment due; ${sent.madeLate} requests made late` +
        `\n${row.name}: memory after head cuts: ${afterCuts.map(({ cuts, bytes }) => `${(bytes / 1e6).toFixed(0)} MB after ${cuts}`).join(', ') || 'none'}`,
    )
  }
  const { narthex } = figures
  if (narthex === undefined) return true
  const [second, ...later] = narthex.afterCuts.filter(({ cuts }) => cuts >= 2)
  const most = later.length === 0 ? undefined : Math.max(...later.map(({ bytes }) => bytes))
  bounds.atMost('memory after a later head cut / after the second', ratio(most, second?.bytes), flatShare, '×')
  bounds.atMost('append p99, from the moment due', percentile(narthex.sent.dueMs, 0.99), 50, 'ms')
  bounds.atMost(
    'restart until queries answer / Prometheus',
    ratio(restarts.narthex?.querySeconds, restarts.prometheus?.querySeconds),
    0.3,
    '×',
  )
  return bounds.print()
}

async function measure(server: BenchServer, { seriesCount, hours, requestsPerSecond }: Size): Promise<Figures> {
  const steps = (hours * 3600_000) / stepMs
  const firstMs = Math.floor((Date.now() - steps * stepMs) / rangeMs) * rangeMs
  const lastMs = firstMs + (steps - 1) * stepMs
  const options = { seriesCount, samplesPerRequest, startMs: firstMs - stepMs, stepMs, replaceEveryMs }
  const source = await LoadSource.start({ kind: 'churn', options, steps })
  const cuts = new HeadCutWatch(server)
  try {
    const memory = watchPeakMemory(server.pid)
    const cpu = startCpuClock(server.pid)
    const pace = Number.isFinite(requestsPerSecond)
      ? { connections: pacedConnections, requestsPerSecond }
      : { connections: quickConnections }
    const sent = await sendLoad(source, server, pace)
    // Both are killed in the same state: the last two hours in the head, all else in blocks.
    await waitUntilCompacted(server, firstMs, lastMs)
    const afterCuts = await cuts.stop()
    const { contender, dataDirectory } = server
    const samples = seriesCount * steps
    const row = makeRow(contender, { samples, cpuSeconds: cpu(), peakBytes: memory.stop(), wallSeconds: sent.seconds, dataDirectory })
    const expected = { query: 'count(app_worker_queue_depth_000)', timeMs: lastMs, want: await activePods(server, seriesCount, lastMs) }
    return { row, sent, seriesCreated: ChurnLoad.seriesCreated(options, steps), afterCuts, expected }
  } finally {
    cuts.end()
    await source.stop()
  }
}

/** Pods with a sample within the five minutes that a query looks back: those replaced lately are still among them. */
async function activePods(server: BenchServer, seriesCount: number, timeMs: number): Promise<number> {
  const count = await server.queryValue('count(app_worker_queue_depth_000)', timeMs)
  if (count === undefined || count < seriesCount / metricsPerPod) {
    throw new Error(`cannot bench ${server.contender.name}: want at least ${seriesCount / metricsPerPod} series, got ${count}`)
  }
  return count
}
