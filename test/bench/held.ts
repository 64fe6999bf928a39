import { LoadSource } from './load-source.ts'
import { describeMachine, readTreeUsage, watchPeakMemory } from './measure.ts'
import { sendLoad } from './send-load.ts'
import type { BenchServer } from './server-contenders.ts'
import { eachServer, makeRow, ratio, readStorageArguments, startCpuClock } from './storage-bench.ts'
import { formatTable, type BenchRow } from './table.ts'
import { waitUntilIdle } from './wait-until-idle.ts'

// What held samples cost in memory: 200,000 series × 480 samples, two hours at 15 s: all that a head has before it is cut. Prometheus takes a
// quarter of an hour for them and is measured when it is named: `held narthex prometheus victoria`.

const samplesPerRequest = 2_000
const connections = 2
const stepMs = 15_000

interface Figures {
  readonly row: BenchRow
  readonly restBytes: number
}

export async function benchHeld(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds, keys } = readStorageArguments(args, ['narthex', 'prometheus', 'victoria'])
  const seriesCount = isSmoke ? 10_000 : 200_000
  const steps = isSmoke ? 24 : 480
  const chosen = args.includes('prometheus') ? keys : keys.filter((key) => key !== 'prometheus')
  console.log(describeMachine())
  console.log(`held: remote-write 1.0, ${seriesCount} series × ${steps} samples, ${samplesPerRequest} samples a request\n`)
  const figures = await eachServer(chosen, (server) => measure(server, seriesCount, steps))
  const all = Object.values(figures)
  console.log(formatTable(all.map(({ row }) => row)))
  console.log('\n| program | RSS at rest |\n| --- | --- |')
  for (const { row, restBytes } of all) console.log(`| ${row.name} ${row.version} | ${(restBytes / 1e6).toFixed(0)} MB |`)
  const { narthex, victoria } = figures
  if (narthex === undefined) return true
  bounds.atMost('RSS at rest / VictoriaMetrics', ratio(narthex.restBytes, victoria?.restBytes), 1, '×')
  bounds.atMost('peak RSS / VictoriaMetrics', ratio(narthex.row.peakBytes, victoria?.row.peakBytes), 1, '×')
  return bounds.print()
}

async function measure(server: BenchServer, seriesCount: number, steps: number): Promise<Figures> {
  const startMs = Date.now() - (steps + 1) * stepMs
  const source = await LoadSource.start({ kind: 'pods', options: { seriesCount, samplesPerRequest, startMs, stepMs }, steps })
  try {
    const memory = watchPeakMemory(server.pid)
    const cpu = startCpuClock(server.pid)
    const { seconds } = await sendLoad(source, server, { connections })
    if (!(await waitUntilIdle(server.pid))) console.error(`${server.contender.name}: not at rest after two minutes`)
    const restBytes = readTreeUsage(server.pid).residentBytes
    const { contender, dataDirectory } = server
    const figures = { samples: seriesCount * steps, cpuSeconds: cpu(), peakBytes: memory.stop(), wallSeconds: seconds, dataDirectory }
    return { row: makeRow(contender, figures), restBytes }
  } finally {
    await source.stop()
  }
}
