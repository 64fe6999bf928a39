import { chooseContenders, type AgentContender } from './agent-contenders.ts'
import { HelperProcess, sleep } from './helper-process.ts'
import { describeMachine, directoryBytes, readTreeUsage, watchPeakMemory } from './measure.ts'
import { formatBound, formatTable, type BenchRow } from './table.ts'

// 100 targets × 1,000 lines of real node_exporter text every second, a third of the values new each time, written to a
// sink that decodes and counts. Targets and sink are processes of their own: their cost is not counted. A second, slower round measures
// what goes over the wire: every 15 s, batches of 5 s.

const targetCount = 100
const linesPerTarget = 1_000
const warmUpSeconds = 15
const measuredSeconds = 40
const wireSeconds = 45

export async function benchScrape(args: readonly string[]): Promise<boolean> {
  console.log(describeMachine())
  console.log(`scrape: ${targetCount} targets × ${linesPerTarget} lines every second, ${warmUpSeconds} + ${measuredSeconds} s\n`)
  const rows: BenchRow[] = []
  const wire: number[] = []
  for (const contender of chooseContenders(args)) {
    const row = await measure(contender)
    rows.push(row)
    console.error(`${contender.name}: ${row.cpuSecondsPerMillion.toFixed(3)} CPU-s/M, ${(row.peakBytes / 1e6).toFixed(0)} MB`)
    wire.push(await measureWire(contender))
    console.error(`${contender.name}: ${wire.at(-1)!.toFixed(2)} bytes a sample on the wire`)
  }
  console.log(formatTable(rows))
  console.log('\n| program | bytes on the wire a sample (15 s interval, 5 s batches) |\n| --- | --- |')
  rows.forEach(({ name, version }, i) => console.log(`| ${name} ${version} | ${wire[i]!.toFixed(2)} |`))
  // The targets are on this machine: ours asks them for plain answers unless it is told otherwise.
  const packed = await measure(chooseContenders(args)[0]!, 'enable_compression: true')
  console.log(`\n${packed.name} with enable_compression: true: ${packed.cpuSecondsPerMillion.toFixed(2)} CPU-s per million samples`)
  const [ours, prometheus, vmagent] = rows
  if (!ours || !prometheus || !vmagent) return true
  console.log('')
  const bounds: [string, number, number, string][] = [
    ['scrape CPU / Prometheus agent', ours.cpuSecondsPerMillion / prometheus.cpuSecondsPerMillion, 0.2, '×'],
    ['scrape CPU / vmagent', ours.cpuSecondsPerMillion / vmagent.cpuSecondsPerMillion, 0.5, '×'],
    ['agent RSS', ours.peakBytes / 1e6, 120, 'MB'],
    ['bytes on the wire / vmagent', wire[0]! / wire[2]!, 0.7, '×'],
  ]
  for (const [what, value, most, unit] of bounds) console.log(formatBound(what, value, most, unit))
  return bounds.every(([, value, most]) => value <= most)
}

function scrapeConfig(port: number, intervalSeconds: number, timeoutSeconds: number, extra = ''): string {
  const addresses = Array.from({ length: targetCount }, (_, target) => `'127.0.0.${target + 1}:${port}'`)
  const scrape = `scrape_configs:\n  - job_name: node\n    ${extra}\n    static_configs:\n      - targets: [${addresses.join(', ')}]\n`
  return `global:\n  scrape_interval: ${intervalSeconds}s\n  scrape_timeout: ${timeoutSeconds}s\n${scrape}`
}

async function measure(contender: AgentContender, extra?: string): Promise<BenchRow> {
  const targets = await HelperProcess.start('scrape-targets.ts', [String(targetCount), String(linesPerTarget)])
  const sink = await HelperProcess.start('scrape-sink.ts', [])
  let agent
  try {
    agent = await contender.start({
      scrape: scrapeConfig(targets.port, 1, 1, extra),
      sinkUrl: `http://127.0.0.1:${sink.port}/api/v1/write`,
    })
    const { pid } = agent
    const memory = watchPeakMemory(pid)
    await sleep(warmUpSeconds * 1000)
    const look = async () => ({
      usage: readTreeUsage(pid),
      samples: (await sink.figures())['samples']!,
      answers: (await targets.figures())['answers']!,
      at: performance.now(),
    })
    const before = await look()
    await sleep(measuredSeconds * 1000)
    const after = await look()
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

async function measureWire(contender: AgentContender): Promise<number> {
  const targets = await HelperProcess.start('scrape-targets.ts', [String(targetCount), String(linesPerTarget)])
  const sink = await HelperProcess.start('scrape-sink.ts', [])
  let agent
  try {
    const scrape = scrapeConfig(targets.port, 15, 5)
    agent = await contender.start({ scrape, sinkUrl: `http://127.0.0.1:${sink.port}/api/v1/write`, flushMs: 5000 })
    await sleep(30_000)
    const before = await sink.figures()
    await sleep(wireSeconds * 1000)
    const after = await sink.figures()
    return (after['bytes']! - before['bytes']!) / (after['samples']! - before['samples']!)
  } finally {
    await agent?.stop()
    await targets.stop()
    await sink.stop()
  }
}
