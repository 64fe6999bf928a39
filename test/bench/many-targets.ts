import { chooseContenders, type AgentContender } from './agent-contenders.ts'
import { HelperProcess, sleep } from './helper-process.ts'
import { describeMachine, directoryBytes, readTreeUsage, watchPeakMemory } from './measure.ts'
import { formatBound, formatTable, type BenchRow } from './table.ts'

// 5,000 targets × 100 series every 15 s, and beside them one target with a body of 50 MB: processor time and memory, and how late the
// scrapes of the small ones are while the large one is read.

const targetCount = 5_000
const seriesPerTarget = 100
const bigBytes = 50e6
const warmUpSeconds = 35
const measuredSeconds = 60
/** In turns, as a machine has quicker and slower minutes: each figure is that of all its rounds. */
const rounds = 2

interface Measured {
  readonly row: BenchRow
  readonly lateMs: number
}

export async function benchManyTargets(args: readonly string[]): Promise<boolean> {
  console.log(describeMachine())
  console.log(`many-targets: ${targetCount} targets × ${seriesPerTarget} series every 15 s and one body of ${bigBytes / 1e6} MB\n`)
  const contenders = chooseContenders(args).filter(({ name }) => name !== 'Prometheus agent')
  const taken: Measured[][] = contenders.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      const one = await measure(contender)
      taken[i]!.push(one)
      const { row, lateMs } = one
      console.error(
        `${row.name}: ${row.cpuSecondsPerMillion.toFixed(3)} CPU-s/M, ${(row.peakBytes / 1e6).toFixed(0)} MB, late by ${lateMs} ms (p99)`,
      )
    }
  }
  const measured = taken.map(combine)
  console.log(formatTable(measured.map(({ row }) => row)))
  for (const { row, lateMs } of measured) console.log(`${row.name}: scrapes ${lateMs} ms off their schedule (p99)`)
  const [ours, vmagent] = measured
  if (!ours || !vmagent) return true
  console.log('')
  const bounds: [string, number, number, string][] = [
    ['CPU / vmagent', ours.row.cpuSecondsPerMillion / vmagent.row.cpuSecondsPerMillion, 0.5, '×'],
    ['peak RSS / vmagent', ours.row.peakBytes / vmagent.row.peakBytes, 1, '×'],
    ['lateness p99', ours.lateMs, 100, 'ms'],
  ]
  for (const [what, value, most, unit] of bounds) console.log(formatBound(what, value, most, unit))
  return bounds.every(([, value, most]) => value <= most)
}

/** Processor time of all rounds, the highest memory and lateness of any. */
function combine(taken: readonly Measured[]): Measured {
  const { row } = taken[0]!
  const samples = sum(taken, (one) => one.row.samples)
  const cpuSeconds = sum(taken, (one) => one.row.cpuSecondsPerMillion * (one.row.samples / 1e6))
  const peakBytes = Math.max(...taken.map((one) => one.row.peakBytes))
  const wallSeconds = sum(taken, (one) => one.row.wallSeconds)
  const lateMs = Math.max(...taken.map((one) => one.lateMs))
  return { lateMs, row: { ...row, samples, cpuSecondsPerMillion: cpuSeconds / (samples / 1e6), peakBytes, wallSeconds } }
}

function sum(taken: readonly Measured[], figure: (one: Measured) => number): number {
  return taken.reduce((total, one) => total + figure(one), 0)
}

async function measure(contender: AgentContender): Promise<Measured> {
  const targets = await HelperProcess.start('many-targets-main.ts', [String(targetCount), String(seriesPerTarget), String(bigBytes)])
  const sink = await HelperProcess.start('scrape-sink.ts', [])
  let agent
  try {
    const scrape = scrapeConfig(targets.port, contender.name === 'vmagent')
    agent = await contender.start({ scrape, sinkUrl: `http://127.0.0.1:${sink.port}/api/v1/write`, bodyBytesMax: 2 * bigBytes })
    const { pid } = agent
    const memory = watchPeakMemory(pid)
    await sleep(warmUpSeconds * 1000)
    await targets.figures()
    const before = { usage: readTreeUsage(pid), samples: (await sink.figures())['samples']!, at: performance.now() }
    await sleep(measuredSeconds * 1000)
    const after = { usage: readTreeUsage(pid), samples: (await sink.figures())['samples']!, at: performance.now() }
    const samples = after.samples - before.samples
    const wanted = (targetCount * seriesPerTarget + bigBytes / 95) * (measuredSeconds / 15)
    if (samples < wanted * 0.8) console.error(`${contender.name}: about ${wanted.toFixed(0)} samples were exposed, only ${samples} arrived`)
    const { lateP99Ms } = await targets.figures()
    return {
      lateMs: lateP99Ms!,
      row: {
        name: contender.name,
        version: contender.version,
        durability: contender.durability,
        samples,
        cpuSecondsPerMillion: (after.usage.cpuSeconds - before.usage.cpuSeconds) / (samples / 1e6),
        peakBytes: memory.stop(),
        diskBytes: directoryBytes(agent.dataDirectory),
        wallSeconds: (after.at - before.at) / 1000,
      },
    }
  } finally {
    await agent?.stop()
    await targets.stop()
    await sink.stop()
  }
}

/** vmagent parses large bodies as they come when it is told to. */
function scrapeConfig(port: number, isVmagent: boolean): string {
  const addresses = Array.from({ length: targetCount }, (_, i) => `'127.1.${Math.floor(i / 250)}.${(i % 250) + 1}:${port}'`)
  const stream = isVmagent ? '\n    stream_parse: true' : ''
  return `global: {scrape_interval: 15s, scrape_timeout: 10s}
scrape_configs:
  - job_name: app
    static_configs: [{targets: [${addresses.join(', ')}]}]
  - job_name: big
    metrics_path: /big${stream}
    static_configs: [{targets: ['127.2.0.1:${port}']}]
`
}
