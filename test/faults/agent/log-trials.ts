import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FrameLog, type LossReason } from '@narthex/agent/store/frame-log'
import { LayoutBuilder } from '@narthex/agent/store/layout-builder'
import type { SeriesLayout } from '@narthex/agent/store/frame'
import type { FrameRef } from '@narthex/agent/store/sample-frame'
import { directoryBytes } from '../../bench/measure.ts'
import { makeTemporaryDirectory } from '../../kit/process.ts'
import { startNodeExporter } from '../../kit/services.ts'
import { residentBytes } from './programs.ts'
import { sleep, World, type Finding, type Scenario, type Torture } from './scenario.ts'

// What only our log can be asked: these scenarios work on its files. Other programs are not tried.

const notTried = (guarantee: string, scenario: string): Finding => ({
  guarantee,
  scenario,
  figures: 'of our log only',
  ok: undefined,
})

/** The sample lines of a real node exporter, and values that go on as they do: a third changes with every scrape. */
class RealValues {
  readonly #series: string[][] = []
  readonly #values: Float64Array
  readonly words: Uint32Array

  constructor(text: string, count: number) {
    const values: number[] = []
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    for (let i = 0; i < count; i++) {
      const [, name, labels, value] = /^([^ {]+)(?:\{(.*)\})? (\S+)/.exec(lines[i % lines.length]!)!
      const pairs = ['__name__', name!, 'instance', 'host', 'job', 'node', 'copy', String(Math.floor(i / lines.length))]
      for (const [, key, quoted] of (labels ?? '').matchAll(/(\w+)="([^"]*)"/g)) pairs.push(key!, quoted!)
      this.#series.push(pairs)
      values.push(Number(value))
    }
    this.#values = Float64Array.from(values)
    this.words = new Uint32Array(this.#values.buffer)
  }

  layout(target: number): SeriesLayout {
    const builder = new LayoutBuilder()
    for (const pairs of this.#series) builder.addPairs(sortPairs(pairs.map((text) => (text === 'host' ? `host-${target}` : text))))
    return builder.build(target)
  }

  /** The next scrape's values: whole numbers grow by up to 50, others by quarters. */
  step(round: number): void {
    const values = this.#values
    for (let i = round % 3; i < values.length; i += 3) {
      const value = values[i]!
      values[i] = Number.isInteger(value) ? value + ((i * 7) % 50) : Number((value + 0.25).toPrecision(12))
    }
  }
}

function sortPairs(pairs: readonly string[]): string[] {
  const entries = Array.from({ length: pairs.length / 2 }, (_, i) => [pairs[2 * i]!, pairs[2 * i + 1]!] as const)
  return entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).flat()
}

async function recordNodeExporter(): Promise<string> {
  const exporter = await startNodeExporter()
  try {
    return await (await fetch(`${exporter.url}/metrics`)).text()
  } finally {
    await exporter.stop()
  }
}

/** 10,000 series every 15 s for three days, nobody takes them: how much disk and memory that costs. In a process like the agent's. */
async function longOutage({ program, count }: Torture): Promise<Finding> {
  const hours = count < 50 ? 12 : 72
  const scenario = `outage of ${hours} h, 10,000 series every 15 s (clock accelerated)`
  if (program.name !== 'narthex') return notTried('G6', scenario)
  const child = spawnSync(process.execPath, [...agentRuntimeFlags, join(import.meta.dirname, 'outage-main.ts'), String(hours)], {
    encoding: 'utf8',
    env: { ...process.env, ...agentRuntimeEnvironment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (child.status !== 0) throw new Error(`cannot run the outage: exit ${child.status}`)
  const { samples, bytes, growth, lost } = JSON.parse(child.stdout) as Outage
  const perSample = bytes / samples
  return {
    guarantee: 'G6',
    scenario,
    figures: `${(samples / 1e6).toFixed(1)} M samples in ${(bytes / 1e6).toFixed(0)} MB, ${perSample.toFixed(2)} B a sample (72 h: ${((perSample * 172.8e6) / 1e6).toFixed(0)} MB), RSS ${growth >= 0 ? '+' : ''}${(growth * 100).toFixed(1)} %, ${lost} lost`,
    ok: perSample * 172.8e6 <= 600e6 && (hours < 72 || growth < 0.05) && lost === 0,
  }
}

/** As bin/narthex starts an agent. */
const agentRuntimeFlags = [
  '--max-semi-space-size=1',
  '--optimize-for-size',
  '--max-inlined-bytecode-size=460',
  '--max-inlined-bytecode-size-cumulative=920',
  '--no-maglev',
  '--memory-saver-mode',
]
const agentRuntimeEnvironment = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '32768', MALLOC_TRIM_THRESHOLD_: '131072' }

interface Outage {
  readonly samples: number
  readonly bytes: number
  /** Of the resident memory, from a quarter of the time to its end. */
  readonly growth: number
  readonly lost: number
}

/** What the child of `longOutage` does. */
export async function runOutage(hours: number): Promise<Outage> {
  const temporary = makeTemporaryDirectory('narthex-outage-')
  let lost = 0
  const log = openLog(temporary.path, (_reason, _frames, samples) => (lost += samples ?? 0), 8 * 2 ** 30, 0)
  try {
    const values = new RealValues(await recordNodeExporter(), 1000)
    const layouts = Array.from({ length: 10 }, (_, target) => values.layout(target))
    const scrapes = (hours * 3600) / 15
    let rssBefore = 0
    const startMs = 1_750_000_000_000
    for (let scrape = 0; scrape < scrapes; scrape++) {
      values.step(scrape)
      for (const layout of layouts) {
        log.append({ layout, indexes: undefined, times: startMs + scrape * 15_000, words: values.words, count: 1000 })
      }
      // The event loop gets its turn, as it has between scrapes.
      if (scrape % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
      if (scrape === Math.floor(scrapes / 4)) rssBefore = residentBytes(process.pid)
    }
    // What cannot be compressed beside thousands of samples a millisecond has three days for it otherwise.
    for (let before = 0; before !== log.bytes;) {
      before = log.bytes
      await sleep(2500)
    }
    const growth = residentBytes(process.pid) / rssBefore - 1
    return { samples: scrapes * 10_000, bytes: directoryBytes(temporary.path), growth, lost }
  } finally {
    await log.close()
    temporary.remove()
  }
}

function openLog(
  directory: string,
  onLoss: (reason: LossReason, frames: number, samples: number | undefined) => void,
  bytesMax = 2 ** 30,
  packAfterMs = Infinity,
): FrameLog {
  return new FrameLog({
    directory,
    remotes: ['remote'],
    bytesMax,
    packAfterMs,
    events: { onLoss: (_remote, reason, frames, samples) => onLoss(reason, frames, samples), onProblem: () => undefined },
  })
}

/** Random flips and truncations of the files: what is damaged is lost, and nothing else. */
async function damage({ program, count, random }: Torture): Promise<Finding> {
  const trials = count * 5
  const scenario = `${trials} random bit flips and truncations`
  if (program.name !== 'narthex') return notTried('G10', scenario)
  const temporary = makeTemporaryDirectory('narthex-damage-')
  try {
    const whole = join(temporary.path, 'whole')
    const frames = await writeFrames(whole, 120)
    const segments = readdirSync(whole).filter((name) => name.endsWith('.frames'))
    let worstFlip = 0
    let lostFrames = 0
    let wrong = 0
    for (let trial = 0; trial < trials; trial++) {
      const copy = join(temporary.path, 'copy')
      copyLog(whole, copy, segments)
      const path = join(copy, segments[Math.floor(random() * segments.length)]!)
      const isFlip = random() < 0.7
      const at = Math.floor(random() * statSync(path).size)
      if (isFlip) flipBit(path, at, Math.floor(random() * 8))
      else truncateSync(path, at)
      const read = await readFrames(copy)
      const lost = frames.filter((sequence) => !read.includes(sequence)).length
      lostFrames += lost
      if (isFlip) worstFlip = Math.max(worstFlip, lost)
      else if (
        lost >
        framesBehind(
          join(
            whole,
            segments.find((name) => path.endsWith(name))!,
          ),
          at,
        )
      )
        wrong++
      rmSync(copy, { recursive: true })
    }
    return {
      guarantee: 'G10',
      scenario,
      figures: `a flip lost at most ${worstFlip} frame, ${wrong} truncations lost more than what they cut, ${lostFrames} of ${trials * frames.length} frames lost in all`,
      ok: worstFlip <= 1 && wrong === 0,
    }
  } finally {
    temporary.remove()
  }
}

/** So many that a segment is longer than what a reader takes at once. */
const damagedSeries = 2000

/** A log with three segments. */
async function writeFrames(directory: string, count: number): Promise<number[]> {
  const layout = smallLayout()
  for (let run = 0; run < 3; run++) {
    const log = openLog(directory, () => undefined)
    for (let i = 0; i < count / 3; i++) {
      const words = new Uint32Array(Float64Array.from({ length: damagedSeries }, (_, series) => run * 1000 + i + series / 7).buffer)
      log.append({ layout, indexes: undefined, times: 1000 * (run * count + i), words, count: damagedSeries })
    }
    await log.close()
  }
  return Array.from({ length: count }, (_, i) => i + 1)
}

function smallLayout(): SeriesLayout {
  const builder = new LayoutBuilder()
  for (let i = 0; i < damagedSeries; i++) builder.addPairs(['__name__', 'damage', 'series', String(i)])
  return builder.build(1)
}

function copyLog(from: string, to: string, segments: readonly string[]): void {
  mkdirSync(to)
  for (const name of segments) copyFileSync(join(from, name), join(to, name))
}

function flipBit(path: string, at: number, bit: number): void {
  const bytes = readFileSync(path)
  bytes[at]! ^= 1 << bit
  writeFileSync(path, bytes)
}

async function readFrames(directory: string): Promise<number[]> {
  const log = openLog(directory, () => undefined)
  try {
    const reader = log.reader('remote')
    const sequences: number[] = []
    for (;;) {
      const frame: FrameRef | undefined = reader.tryNext()
      if (frame !== undefined) sequences.push(frame.sequence)
      else if (reader.isBehind) await reader.load()
      else return sequences
    }
  } finally {
    await log.close()
  }
}

/** Sample frames of a whole segment that do not end before the offset. */
function framesBehind(path: string, offset: number): number {
  const bytes = readFileSync(path)
  let frames = 0
  for (let at = 0; at < bytes.length;) {
    const end = at + 56 + bytes.readUInt32LE(at + 12)
    if (bytes[at + 16] === 2 && end > offset) frames++
    at = end
  }
  return frames
}

/** A backlog of gigabytes is there when the agent starts. */
async function bigBacklog({ program, count }: Torture): Promise<Finding> {
  const gigabytes = count < 50 ? 0.2 : 10
  const scenario = `start with a backlog of ${gigabytes} GB`
  if (program.name !== 'narthex') return notTried('G9', scenario)
  const world = await World.open(program, { targets: 10, series: 1000, intervalMs: 1000 })
  try {
    world.receiver.behaviour = { kind: 'discard' }
    await world.start()
    await sleep(5000)
    // What it has depends on where the collector is: both figures are the highest of as long a time.
    const steady = await peakBytes(world.running!.pid)
    await world.terminate()
    await fillLog(join(world.directory, 'frames'), gigabytes * 1e9)
    const backlog = directoryBytes(world.directory)
    const before = world.exposedAnswers
    const started = performance.now()
    const starting = world.start({ bytesMax: 40e9 })
    starting.catch(() => undefined)
    while (world.exposedAnswers === before && performance.now() - started < 30_000) await sleep(5)
    const firstScrapeMs = performance.now() - started
    await starting
    const peak = await peakBytes(world.running!.pid)
    return {
      guarantee: 'G9',
      scenario,
      figures: `${(backlog / 1e9).toFixed(1)} GB, first scrape after ${firstScrapeMs.toFixed(0)} ms, RSS ${(peak / 1e6).toFixed(0)} MB while sending it, ${(steady / 1e6).toFixed(0)} MB without (${(peak / steady).toFixed(2)} ×)`,
      ok: firstScrapeMs < 2000 && peak <= 1.1 * steady,
    }
  } finally {
    await world.close()
  }
}

/** The most memory that is seen in eight seconds. */
async function peakBytes(pid: number): Promise<number> {
  let peak = 0
  for (const end = performance.now() + 8000; performance.now() < end; await sleep(100)) peak = Math.max(peak, residentBytes(pid))
  return peak
}

/** Appends to a log that the agent has left; its cursors stay. */
async function fillLog(directory: string, bytes: number): Promise<void> {
  const remotes = readdirSync(join(directory, 'cursors')).flatMap((name) =>
    name.endsWith('.cursor') ? [decodeURIComponent(name.slice(0, -7))] : [],
  )
  const log = new FrameLog({
    directory,
    remotes: remotes.length === 0 ? ['r0'] : remotes,
    bytesMax: 40e9,
    events: { onLoss: () => undefined, onProblem: () => undefined },
  })
  const values = new RealValues(await recordNodeExporter(), 1000)
  const layout = values.layout(1000)
  for (let scrape = 0; log.bytes < bytes; scrape++) {
    values.step(scrape)
    log.append({ layout, indexes: undefined, times: 1_700_000_000_000 + scrape * 1000, words: values.words, count: 1000 })
    if (scrape % 500 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await log.close()
}

export const logTrials: Readonly<Record<string, Scenario>> = { 'long-outage': longOutage, damage, 'big-backlog': bigBacklog }
