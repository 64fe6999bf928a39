import { readFileSync, writeFileSync } from 'node:fs'
import { makeTemporaryDirectory, findFreePort, type RunningProcess } from '../../kit/process.ts'
import { directoryBytes } from '../../bench/measure.ts'
import { startTargets, type ExposingTargets } from './exposing-targets.ts'
import { compareLedgers, type Blackout, type Comparison, type Shape } from './ledger.ts'
import type { Program, ProgramOptions } from './programs.ts'
import { Receiver } from './receiver.ts'

/** What a scenario found, one row of the table. */
export interface Finding {
  readonly guarantee: string
  readonly scenario: string
  /** The figures, in words. */
  readonly figures: string
  /** Undefined: this program was not tried. */
  readonly ok: boolean | undefined
}

export interface Torture {
  readonly program: Program
  /** Share of the full count, for `npm test`; 1 = in full. */
  readonly count: number
  readonly random: () => number
}

export type Scenario = (torture: Torture) => Promise<Finding>

/** An answer younger than this when the program is killed may not have been read, parsed and written yet. */
const inFlightMs = 250

/** The same small world for every scenario: targets, receivers, a directory and a port that stay while the program comes and goes. */
export class World {
  readonly shape: Shape
  readonly receivers: readonly Receiver[]
  readonly blackouts: Blackout[] = []
  readonly directory: string
  readonly intervalMs: number
  targets!: ExposingTargets
  running: RunningProcess | undefined
  readonly #program: Program
  readonly #port: number
  readonly #temporary: { path: string; remove(): void }

  private constructor(
    program: Program,
    shape: Shape,
    receivers: readonly Receiver[],
    port: number,
    intervalMs: number,
    directory?: string,
  ) {
    this.#program = program
    this.shape = shape
    this.receivers = receivers
    this.#port = port
    this.intervalMs = intervalMs
    this.#temporary = makeTemporaryDirectory('narthex-torture-')
    this.directory = directory ?? `${this.#temporary.path}/data`
  }

  static async open(
    program: Program,
    options: { targets?: number; series?: number; receivers?: number; intervalMs?: number; directory?: string } = {},
  ): Promise<World> {
    const shape = { targets: options.targets ?? 10, seriesPerTarget: options.series ?? 50 }
    const receivers = Array.from({ length: options.receivers ?? 1 }, () => new Receiver())
    for (const receiver of receivers) await receiver.start()
    const world = new World(program, shape, receivers, await findFreePort(), options.intervalMs ?? 200, options.directory)
    world.targets = await startTargets(shape.targets, shape.seriesPerTarget)
    return world
  }

  get receiver(): Receiver {
    return this.receivers[0]!
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  async start(options: Partial<ProgramOptions> = {}): Promise<RunningProcess> {
    const running = await this.#program.start({
      targets: this.targets.addresses,
      remotes: this.receivers.map(({ url }) => url),
      directory: this.directory,
      port: this.#port,
      intervalMs: this.intervalMs,
      ...options,
    })
    this.running = running
    return running
  }

  async kill(): Promise<void> {
    const killedMs = Date.now()
    this.running!.child.kill('SIGKILL')
    await this.running!.exited
    this.blackouts.push({ fromMs: killedMs - inFlightMs, toMs: Date.now() })
    this.running = undefined
  }

  async terminate(graceMs = 10_000): Promise<number> {
    const startedMs = Date.now()
    await this.running!.stop(graceMs)
    this.blackouts.push({ fromMs: startedMs - inFlightMs, toMs: Date.now() })
    this.running = undefined
    return Date.now() - startedMs
  }

  /** Answers given until now. */
  get exposedAnswers(): number {
    return this.targets.exposed.length
  }

  /** Waits until everything exposed by now has arrived, or the deadline passes; then compares. */
  async drain(deadlineMs: number, receiver = this.receiver): Promise<Comparison> {
    const exposed = this.targets.exposed.slice()
    const compare = () =>
      compareLedgers(this.shape, exposed, this.blackouts, (target, series, round) => receiver.has(target, series, round))
    const endMs = performance.now() + deadlineMs
    let compared = compare()
    while (compared.missing > 0 && performance.now() < endMs) {
      await sleep(200)
      compared = compare()
    }
    return compared
  }

  /** Takes all targets out of the configuration and reloads it. */
  async stopScraping(): Promise<void> {
    const path = `${this.directory}.yml`
    writeFileSync(path, readFileSync(path, 'utf8').replace(/static_configs: .*/, 'static_configs: []'))
    this.running!.child.kill('SIGHUP')
    for (let before = -1; before !== this.exposedAnswers;) {
      before = this.exposedAnswers
      await sleep(3 * this.intervalMs)
    }
  }

  /** Waits until the receiver has heard nothing new of the old answers for a while; then compares. */
  async settle(quietMs = 3000): Promise<Comparison> {
    for (let before = -1; before !== this.receiver.samples;) {
      before = this.receiver.samples
      await sleep(quietMs)
    }
    return this.drain(0)
  }

  /** Sum over all series of the name on the program's own metrics page. */
  async readMetric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text()
    let sum = 0
    for (const match of text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))) sum += Number(match[1])
    return sum
  }

  diskBytes(): number {
    return directoryBytes(this.directory)
  }

  async close(): Promise<void> {
    await this.running?.stop(1000)
    await this.targets.stop()
    for (const receiver of this.receivers) await receiver.stop()
    this.#temporary.remove()
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Uniform in [0, 1), from a seed: a trial can be run again. */
export function seededRandom(seed: number): () => number {
  let state = (seed % 2147483646) + 1
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
}

/** The first few missing samples, for people. */
export function listExamples(examples: readonly string[]): string {
  return examples.length === 0 ? '' : ` (${examples.join(', ')})`
}
