import { LoadSource } from './load-source.ts'
import { makeLoad, type LoadSpec } from './load-spec.ts'
import { describeMachine, directoryBytes, readTreeUsage, watchPeakMemory } from './measure.ts'
import { NodeLoad } from './node-load.ts'
import { recordNodeExporter } from './node-exporter-text.ts'
import { sendLoad } from './send-load.ts'
import type { BenchServer } from './server-contenders.ts'
import { eachServer, makeRow, ratio, readStorageArguments, startCpuClock, type ContenderKey } from './storage-bench.ts'
import { formatTable, type BenchRow } from './table.ts'
import { waitUntilCompacted } from './wait-until-compacted.ts'
import { waitUntilIdle } from './wait-until-idle.ts'

// The whole life of samples: 20 hosts with 1,000 lines of a real node exporter each, six hours at 15 s, sent in the order of time as fast as they
// are taken. The clock runs until ours and Prometheus have cut and merged all blocks that six hours make, and VictoriaMetrics has
// written its buffers (`/internal/force_flush`, which its documentation gives for exactly that) and merged what it merges by itself: until the
// program rests. A forced merge comes after, on its own line: its documentation says that it is not needed, and that it costs.

const rangeMs = 2 * 3600_000
const stepMs = 15_000
const samplesPerRequest = 2_000
const connections = 2
const seriesPerHost = 1_000
/** VictoriaMetrics writes what it has in memory every five seconds: twice that, and some. */
const flushedMs = 12_000

interface Figures {
  readonly row: BenchRow
  readonly cpuSeconds: number
  /** Of blocks alone, and the samples in them. */
  readonly blockBytes: number | undefined
  readonly merged: { readonly cpuSeconds: number; readonly diskBytes: number } | undefined
}

export async function benchLifecycle(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds, keys } = readStorageArguments(args, ['narthex', 'prometheus', 'victoria'])
  const hosts = isSmoke ? 1 : 20
  const steps = isSmoke ? 240 : (6 * 3600_000) / stepMs
  console.log(describeMachine())
  const texts = await recordNodeExporter(isSmoke ? 3 : 10)
  // All of it lies in the past, and begins with a block.
  const firstMs = Math.floor((Date.now() - steps * stepMs) / rangeMs) * rangeMs
  const options = { texts, hosts, seriesPerHost, samplesPerRequest, startMs: firstMs - stepMs, stepMs }
  const spec: LoadSpec = { kind: 'node', options, steps }
  const load = makeLoad(spec)
  const moving = load instanceof NodeLoad ? load.movingLines : 0
  console.log(
    `lifecycle: ${hosts} hosts × ${seriesPerHost} lines of a node exporter (${moving} move), ${steps} steps of ${stepMs / 1000} s, ${samplesPerRequest} samples a request\n`,
  )
  const figures = await eachServer(keys, (server, key) => measure(server, key, spec, { firstMs, steps, hosts }))
  const all = Object.values(figures)
  console.log(formatTable(all.map(({ row }) => row)))
  console.log('\n| program | CPU-s in all | blocks alone | after a forced merge |\n| --- | --- | --- | --- |')
  for (const { row, cpuSeconds, blockBytes, merged } of all) {
    const blocks = blockBytes === undefined ? '–' : `${(blockBytes / 1e6).toFixed(1)} MB`
    const forced = merged === undefined ? '–' : `${(merged.diskBytes / 1e6).toFixed(1)} MB, ${merged.cpuSeconds.toFixed(1)} CPU-s more`
    console.log(`| ${row.name} ${row.version} | ${cpuSeconds.toFixed(1)} | ${blocks} | ${forced} |`)
  }
  const { narthex, prometheus, victoria } = figures
  if (narthex === undefined) return true
  bounds.atMost('lifecycle CPU / VictoriaMetrics', ratio(narthex.cpuSeconds, victoria?.cpuSeconds), 0.6, '×')
  bounds.atMost('lifecycle peak RSS / VictoriaMetrics', ratio(narthex.row.peakBytes, victoria?.row.peakBytes), 1, '×')
  bounds.atMost('lifecycle disk / Prometheus', ratio(narthex.row.diskBytes, prometheus?.row.diskBytes), 1, '×')
  return bounds.print()
}

async function measure(
  server: BenchServer,
  key: ContenderKey,
  spec: LoadSpec,
  { firstMs, steps, hosts }: { firstMs: number; steps: number; hosts: number },
): Promise<Figures> {
  const source = await LoadSource.start(spec)
  const lastMs = firstMs + (steps - 1) * stepMs
  try {
    const memory = watchPeakMemory(server.pid)
    const cpu = startCpuClock(server.pid)
    const { seconds } = await sendLoad(source, server, { connections })
    if (key === 'victoria') await flushByForce(server)
    else await waitUntilCompacted(server, firstMs, lastMs)
    if (!(await waitUntilIdle(server.pid))) console.error(`${server.contender.name}: not at rest after two minutes`)
    const cpuSeconds = cpu()
    const peakBytes = memory.stop()
    const samples = hosts * seriesPerHost * steps
    const { contender, dataDirectory } = server
    const row = makeRow(contender, { samples, cpuSeconds, peakBytes, wallSeconds: seconds, dataDirectory })
    const blockBytes = key === 'victoria' ? undefined : await server.metric('prometheus_tsdb_storage_blocks_bytes')
    await checkSamples(server, lastMs, steps, hosts)
    return { row, cpuSeconds, blockBytes, merged: key === 'victoria' ? await mergeByForce(server) : undefined }
  } finally {
    await source.stop()
  }
}

/** A program that had dropped samples would have done less than the others. */
async function checkSamples(server: BenchServer, lastMs: number, steps: number, hosts: number): Promise<void> {
  const rangeSeconds = (steps * stepMs) / 1000
  const count = await server.queryValue(`sum(count_over_time(node_load1[${rangeSeconds}s]))`, lastMs)
  // The range is closed at both ends in some versions and open at its begin in others.
  if (count === undefined || count < hosts * (steps - 1)) {
    throw new Error(`cannot bench ${server.contender.name}: want ${hosts * steps} samples of node_load1, got ${count}`)
  }
}

/** What was buffered becomes parts at once, and files soon after. */
async function flushByForce(server: BenchServer): Promise<void> {
  await force(server, '/internal/force_flush')
  await new Promise((resolve) => setTimeout(resolve, flushedMs))
}

async function mergeByForce(server: BenchServer): Promise<{ cpuSeconds: number; diskBytes: number }> {
  const before = readTreeUsage(server.pid).cpuSeconds
  await force(server, '/internal/force_merge')
  await waitUntilIdle(server.pid)
  return { cpuSeconds: readTreeUsage(server.pid).cpuSeconds - before, diskBytes: directoryBytes(server.dataDirectory) }
}

async function force(server: BenchServer, path: string): Promise<void> {
  const { status, body } = await server.ask(path)
  if (status !== 200) throw new Error(`cannot ask VictoriaMetrics for ${path}: ${status} ${body.slice(0, 300)}`)
}
