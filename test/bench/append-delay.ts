import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HelperProcess } from './helper-process.ts'
import { LoadSource } from './load-source.ts'
import { describeMachine } from './measure.ts'
import { percentile, sendLoad } from './send-load.ts'
import { BenchServer, serverContenders } from './server-contenders.ts'
import { readStorageArguments } from './storage-bench.ts'
import { waitUntilCompacted } from './wait-until-compacted.ts'

// How long an append waits while the server cuts a block, merges others and ten dashboards refresh. 100,000 series, a sample a minute: nine hours
// as fast as they are taken make three blocks of two hours that fill a range of six. The next steps, at a steady pace, bring the fourth cut, and with
// it the merge of the first three. The dashboards ask for what has just arrived and for six hours.

const samplesPerRequest = 2_000
const stepMs = 60_000
const rangeMs = 2 * 3600_000
/** The range that three blocks fill. */
const mergedRangeMs = 3 * rangeMs
const dashboards = 10
const pacedConnections = 8
/** Longest measurement: ours looks every minute for what there is to compact. */
const measuredSecondsMax = 180

interface Size {
  readonly seriesCount: number
  /** A whole number of blocks and one more hour: the next sample makes the head long enough for a cut. */
  readonly hoursBefore: number
  readonly requestsPerSecond: number
  /** Shortest measurement. */
  readonly secondsMin: number
}

export async function benchAppendDelay(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds } = readStorageArguments(args, ['narthex'])
  const size: Size = isSmoke
    ? { seriesCount: 1_000, hoursBefore: 1, requestsPerSecond: 2, secondsMin: 10 }
    : { seriesCount: 100_000, hoursBefore: 9, requestsPerSecond: 50, secondsMin: 90 }
  const requestsPerStep = Math.ceil(size.seriesCount / samplesPerRequest)
  const stepsBefore = (size.hoursBefore * 3600_000) / stepMs
  console.log(describeMachine())
  console.log(
    `append-delay: ${size.seriesCount} series, ${size.hoursBefore} h before, then ${size.requestsPerSecond} requests of ${samplesPerRequest} samples a second and ${dashboards} dashboards\n`,
  )
  const stepsAfter = Math.ceil((measuredSecondsMax * size.requestsPerSecond) / requestsPerStep)
  const spanMs = (stepsBefore + stepsAfter) * stepMs
  const firstMs = Math.floor((Date.now() - spanMs) / mergedRangeMs) * mergedRangeMs
  const lastBeforeMs = firstMs + (stepsBefore - 1) * stepMs
  const options = { seriesCount: size.seriesCount, samplesPerRequest, startMs: firstMs - stepMs, stepMs }
  const source = await LoadSource.start({ kind: 'pods', options, steps: stepsBefore + stepsAfter })
  const server = await BenchServer.start(serverContenders.narthex)
  let browsers
  try {
    let requestsBefore = stepsBefore * requestsPerStep
    await sendLoad(source, server, { connections: 2, isEnough: () => requestsBefore-- <= 0 })
    await waitUntilCompacted(server, firstMs, lastBeforeMs)
    const before = countBlocks(server.dataDirectory)
    console.error(`${server.contender.name}: ${before.total} blocks before, ${before.merged} of them merged`)
    const speed = (stepMs * size.requestsPerSecond) / requestsPerStep / 1000
    browsers = await HelperProcess.start('dashboards-main.ts', [server.url, String(dashboards), String(lastBeforeMs), String(speed)])
    const cutsBefore = (await server.metric('prometheus_tsdb_head_truncations_total')) ?? 0
    const watch = watchCompaction(server, cutsBefore, before.merged, isSmoke)
    const beginMs = performance.now()
    const isEnough = (): boolean => {
      const seconds = (performance.now() - beginMs) / 1000
      return seconds >= measuredSecondsMax || (seconds >= size.secondsMin && watch.isDone())
    }
    const sent = await sendLoad(source, server, { connections: pacedConnections, requestsPerSecond: size.requestsPerSecond, isEnough })
    const { cuts, merges } = watch.stop()
    const { queries, failed, empty, p50Ms, p99Ms } = await browsers.figures()
    const delays = [sent.answerMs, sent.dueMs].map((values) => [0.5, 0.99, 1].map((share) => percentile(values, share).toFixed(1)))
    console.log('| append | p50 | p99 | longest |\n| --- | --- | --- | --- |')
    console.log(`| from the last byte of the request to the answer | ${delays[0]!.map((ms) => `${ms} ms`).join(' | ')} |`)
    console.log(`| from the moment that it was due to the answer | ${delays[1]!.map((ms) => `${ms} ms`).join(' | ')} |`)
    console.log(
      `\n${sent.requests} requests in ${sent.seconds.toFixed(0)} s, ${sent.refusals} asked to come again, ${sent.madeLate} made late; meanwhile ${cuts} cuts, ${merges} merges, ` +
        `${queries} queries (${failed} failed, ${empty} empty, p50 ${p50Ms} ms, p99 ${p99Ms} ms)`,
    )
    bounds.atMost('append p99, from the moment due', percentile(sent.dueMs, 0.99), 50, 'ms')
    bounds.atLeast('cuts meanwhile', cuts, 1, '')
    bounds.atLeast('merges meanwhile', merges, 1, '')
    bounds.atMost('queries that failed', failed, 0, '')
    return bounds.print()
  } finally {
    await browsers?.stop()
    await source.stop()
    await server.stop()
  }
}

/** Looks each second what the server has cut and merged since the measurement began. */
function watchCompaction(server: BenchServer, cutsBefore: number, mergedBefore: number, isSmoke: boolean) {
  let cuts = 0
  let merges = 0
  const look = async (): Promise<void> => {
    cuts = ((await server.metric('prometheus_tsdb_head_truncations_total')) ?? 0) - cutsBefore
    merges = countBlocks(server.dataDirectory).merged - mergedBefore
  }
  const timer = setInterval(() => void look().catch(() => undefined), 1_000)
  return {
    isDone: () => isSmoke || (cuts > 0 && merges > 0),
    stop() {
      clearInterval(timer)
      return { cuts, merges }
    },
  }
}

/** Blocks of a data directory, and how many of them were made of others. */
function countBlocks(directory: string): { total: number; merged: number } {
  let total = 0
  let merged = 0
  for (const name of readdirSync(directory)) {
    if (!/^[0-9A-HJKMNP-TV-Z]{26}$/.test(name)) continue
    try {
      const meta = JSON.parse(readFileSync(join(directory, name, 'meta.json'), 'utf8')) as { compaction: { level: number } }
      total++
      if (meta.compaction.level > 1) merged++
    } catch {
      // deleted meanwhile
    }
  }
  return { total, merged }
}
