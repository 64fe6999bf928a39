import { HelperProcess, sleep } from './helper-process.ts'
import { describeMachine, watchPeakMemory } from './measure.ts'
import { BenchServer, serverContenders } from './server-contenders.ts'
import { makeRow, ratio, readStorageArguments, startCpuClock, type ContenderKey } from './storage-bench.ts'
import { formatTable, type BenchRow } from './table.ts'

// A server that scrapes into its own storage: 100 targets × 1,000 lines of real node_exporter text every second, a third of the values new each
// time, no two targets in step. Targets are a process of its own. Ours asks targets on its own machine for plain answers, the peers ask for
// gzip: each its default. The row with `enable_compression` is ours when told to ask for gzip, too.

const targetCount = 100
const linesPerTarget = 1_000

// Samples that the storage took, by its own count: of all that was scraped nearly all must be there, or a program did less than the others.
const storedMetrics: Readonly<Record<ContenderKey, string>> = {
  narthex: 'prometheus_tsdb_head_samples_appended_total',
  prometheus: 'prometheus_tsdb_head_samples_appended_total',
  victoria: 'vm_rows_inserted_total',
}
const storedShareLeast = 0.97

interface Size {
  readonly warmUpSeconds: number
  readonly measuredSeconds: number
}

export async function benchServerScrape(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds, keys } = readStorageArguments(args, ['narthex', 'prometheus', 'victoria'])
  const size = isSmoke ? { warmUpSeconds: 8, measuredSeconds: 3 } : { warmUpSeconds: 20, measuredSeconds: 60 }
  console.log(describeMachine())
  console.log(
    `server-scrape: ${targetCount} targets × ${linesPerTarget} lines every second, ${size.warmUpSeconds} + ${size.measuredSeconds} s\n`,
  )
  const rows: Partial<Record<ContenderKey, BenchRow>> = {}
  for (const key of keys) rows[key] = await measure(key, size)
  const { narthex, prometheus, victoria } = rows
  const zipped = narthex === undefined ? undefined : await measure('narthex', size, 'enable_compression: true')
  const named = zipped === undefined ? [] : [{ ...zipped, name: `${zipped.name} with enable_compression` }]
  console.log(formatTable([...Object.values(rows), ...named]))
  if (narthex === undefined) return true
  bounds.atMost('scrape CPU / Prometheus', ratio(narthex.cpuSecondsPerMillion, prometheus?.cpuSecondsPerMillion), 0.3, '×')
  bounds.atMost('scrape CPU / VictoriaMetrics', ratio(narthex.cpuSecondsPerMillion, victoria?.cpuSecondsPerMillion), 0.6, '×')
  return bounds.print()
}

function scrapeConfig(port: number, extra: string): string {
  const addresses = Array.from({ length: targetCount }, (_, target) => `'127.0.0.${target + 1}:${port}'`)
  const job = `  - job_name: node\n    ${extra}\n    static_configs:\n      - targets: [${addresses.join(', ')}]\n`
  return `global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n${job}`
}

async function measure(key: ContenderKey, { warmUpSeconds, measuredSeconds }: Size, extra = ''): Promise<BenchRow> {
  const targets = await HelperProcess.start('scrape-targets.ts', [String(targetCount), String(linesPerTarget)])
  try {
    const server = await BenchServer.start(serverContenders[key], { config: scrapeConfig(targets.port, extra) })
    try {
      const memory = watchPeakMemory(server.pid)
      await sleep(warmUpSeconds * 1000)
      const look = async () => ({ stored: (await server.metric(storedMetrics[key])) ?? 0, answers: (await targets.figures())['answers']! })
      const before = await look()
      const cpu = startCpuClock(server.pid)
      const beginMs = performance.now()
      await sleep(measuredSeconds * 1000)
      const cpuSeconds = cpu()
      const wallSeconds = (performance.now() - beginMs) / 1000
      const after = await look()
      const samples = (after.answers - before.answers) * linesPerTarget
      const stored = after.stored - before.stored
      if (stored < samples * storedShareLeast) {
        console.error(`${server.contender.name}: ${samples} samples were scraped, only ${stored} stored`)
      }
      const figures = { samples, cpuSeconds, peakBytes: memory.stop(), wallSeconds }
      return makeRow(server.contender, figures)
    } finally {
      await server.stop()
    }
  } finally {
    await targets.stop()
  }
}
