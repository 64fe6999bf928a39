import { LoadSource } from './load-source.ts'
import { describeMachine, readTreeUsage, watchPeakMemory } from './measure.ts'
import { eachServerAndRestarts, startOnce, type Expected } from './restart.ts'
import { sendLoad } from './send-load.ts'
import type { BenchServer } from './server-contenders.ts'
import { makeRow, ratio, readStorageArguments, startCpuClock, type ContenderKey } from './storage-bench.ts'
import { formatTable, type BenchRow } from './table.ts'
import { waitUntilIdle } from './wait-until-idle.ts'
import { metricsPerPod } from './remote-write-load.ts'

// A million new series of ten labels, four samples each, by remote write 1.0: what that costs until the program is at rest. Then SIGKILL, and how
// long the next start takes until the right answer comes and until a sample is taken. VictoriaMetrics has no log: its restart is not compared.

const samplesPerRequest = 2_000
const connections = 2
const steps = 4
const stepMs = 15_000

interface Figures {
  readonly row: BenchRow
  /** At rest after the last sample. */
  readonly restBytes: number
  readonly cpuSeconds: number
  readonly expected: Expected | undefined
}

export async function benchMillion(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds, keys } = readStorageArguments(args, ['narthex', 'prometheus', 'victoria'])
  const seriesCount = isSmoke ? 20_000 : 1_000_000
  console.log(describeMachine())
  console.log(`million: remote-write 1.0, ${seriesCount} new series × ${steps} samples, ${samplesPerRequest} samples a request\n`)
  await startOnce()
  const { figures, restarts } = await eachServerAndRestarts(keys, (server, key) => measure(server, key, seriesCount))
  console.log(formatTable(Object.values(figures).map(({ row }) => row)))
  console.log(
    '\n| program | RSS at rest | CPU-s in all | after SIGKILL: until queries answer | until writes are taken |\n| --- | --- | --- | --- | --- |',
  )
  for (const [key, { row, restBytes, cpuSeconds }] of Object.entries(figures)) {
    const restart = restarts[key as ContenderKey]
    const times = restart === undefined ? '– | –' : `${restart.querySeconds.toFixed(2)} s | ${restart.writeSeconds.toFixed(2)} s`
    console.log(`| ${row.name} ${row.version} | ${(restBytes / 1e6).toFixed(0)} MB | ${cpuSeconds.toFixed(1)} | ${times} |`)
  }
  const { narthex, victoria } = figures
  if (narthex === undefined) return true
  bounds.atMost('RSS at rest / VictoriaMetrics', ratio(narthex.restBytes, victoria?.restBytes), 0.9, '×')
  bounds.atMost('peak RSS / VictoriaMetrics', ratio(narthex.row.peakBytes, victoria?.row.peakBytes), 0.9, '×')
  bounds.atMost('CPU / VictoriaMetrics', ratio(narthex.cpuSeconds, victoria?.cpuSeconds), 0.5, '×')
  bounds.atMost(
    'restart until queries answer / Prometheus',
    ratio(restarts.narthex?.querySeconds, restarts.prometheus?.querySeconds),
    0.3,
    '×',
  )
  bounds.atMost('restart until writes are taken', restarts.narthex?.writeSeconds, 1, 's')
  return bounds.print()
}

async function measure(server: BenchServer, key: ContenderKey, seriesCount: number): Promise<Figures> {
  const startMs = Date.now() - (steps + 1) * stepMs
  const source = await LoadSource.start({ kind: 'pods', options: { seriesCount, samplesPerRequest, startMs, stepMs }, steps })
  try {
    const memory = watchPeakMemory(server.pid)
    const cpu = startCpuClock(server.pid)
    const { seconds, refusals } = await sendLoad(source, server, { connections })
    if (refusals > 0) console.error(`${server.contender.name}: asked to come again ${refusals} times`)
    if (!(await waitUntilIdle(server.pid))) console.error(`${server.contender.name}: not at rest after two minutes`)
    const cpuSeconds = cpu()
    const restBytes = readTreeUsage(server.pid).residentBytes
    const { contender, dataDirectory } = server
    const peakBytes = memory.stop()
    const row = makeRow(contender, { samples: seriesCount * steps, cpuSeconds, peakBytes, wallSeconds: seconds, dataDirectory })
    const count = { query: 'count(app_worker_queue_depth_000)', timeMs: startMs + steps * stepMs, want: seriesCount / metricsPerPod }
    return { row, restBytes, cpuSeconds, expected: key === 'victoria' ? undefined : count }
  } finally {
    await source.stop()
  }
}
