import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import snappy from 'snappy'
import { ChurnLoad } from '../../bench/churn-load.ts'
import { EncodedSeries } from '../../bench/encoded-series.ts'
import { percentile } from '../../bench/send-load.ts'
import { MessageWriter } from '../../bench/write-message.ts'
import { startNarthex, type NarthexProcess } from '../../kit/narthex.ts'
import { makeTemporaryDirectory } from '../../kit/process.ts'
import { makeMemoryBox } from './memory-box.ts'

// A server in a small box: series that come and go, a label with a great many values, and queries that want many times what there is. It has to
// refuse them, each with its reason, and go on taking samples in time.

const mib = 1024 * 1024
const stepMs = 60_000
const generations = 10
/** A fifth of the series is replaced at a time. */
const replacements = generations * 5
const samplesPerRequest = 2_000

export interface PressureOptions {
  readonly boxBytes: number
  readonly seriesCount: number
  readonly steps: number
  /** Of the one label. */
  readonly valueCount: number
  readonly requestsPerSecond: number
  readonly args?: readonly string[]
  readonly print: (line: string) => void
}

export interface PressureReport {
  /** How the box was made: a control group that kills, or a ceiling and a measurement of what was used. */
  readonly box: 'cgroup' | 'measured'
  readonly peakBytes: number
  readonly requests: number
  readonly p99Ms: number
  readonly worstMs: number
  /** The same share of the delays without the time that the server's or our main thread waited for a processor, as the system counts it. */
  readonly p99RunningMs: number
  /** Refusals by the text of their reason, numbers left out. */
  readonly refusals: ReadonlyMap<string, number>
  readonly queriesAnswered: number
  readonly queriesRefused: number
  readonly seriesRefused: number
  readonly problems: readonly string[]
}

/** The whole trial. */
export const fullPressure = {
  boxBytes: 1024 * mib,
  seriesCount: 20_000,
  steps: 300,
  valueCount: 1_000_000,
  requestsPerSecond: 40,
}

export function formatPressure(report: PressureReport): string[] {
  const { box, peakBytes, requests, p99Ms, p99RunningMs, worstMs, refusals, queriesAnswered, queriesRefused, seriesRefused, problems } =
    report
  const how = box === 'cgroup' ? 'in a control group' : 'without a control group, by its own ceiling'
  return [
    `at most ${Math.round(peakBytes / mib)} MiB ${how}; ${requests} writes, p99 ${p99Ms.toFixed(1)} ms (${p99RunningMs.toFixed(1)} without waiting for a processor), the longest ${worstMs.toFixed(1)} ms`,
    `${queriesAnswered} large queries answered, ${queriesRefused} refused; ${seriesRefused} series refused`,
    ...[...refusals].map(([reason, count]) => `${String(count).padStart(8)} × ${reason}`),
    ...problems.map((problem) => `problem: ${problem}`),
    `${problems.length} problems`,
  ]
}

export async function runPressure(options: PressureOptions): Promise<PressureReport> {
  const folder = makeTemporaryDirectory('narthex-pressure-')
  const box = makeMemoryBox(folder.path, options.boxBytes)
  try {
    // In a group the server finds the limit by itself.
    const ceiling = box === undefined ? [`--server.memory-max=${Math.floor(options.boxBytes * 0.9)}B`] : []
    const server = await startNarthex('server', {
      config: 'global: {scrape_interval: 15s}\n',
      args: [...ceiling, ...(options.args ?? [])],
      ...(box === undefined ? {} : { executable: box.executable }),
    })
    try {
      return await new Trial(server, options, box === undefined ? 'measured' : 'cgroup').run()
    } finally {
      await server.remove()
    }
  } finally {
    box?.remove()
    folder.remove()
  }
}

class Trial {
  readonly #server: NarthexProcess
  readonly #options: PressureOptions
  readonly #box: PressureReport['box']
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 })
  readonly #delaysMs: number[] = []
  readonly #runningMs: number[] = []
  readonly #refusals = new Map<string, number>()
  readonly #problems: string[] = []
  readonly #firstMs: number
  #answered = 0
  #refused = 0
  #peakBytes = 0
  #isOver = false

  constructor(server: NarthexProcess, options: PressureOptions, box: PressureReport['box']) {
    this.#server = server
    this.#options = options
    this.#box = box
    this.#firstMs = Date.now() - (options.steps + 1) * stepMs
  }

  async run(): Promise<PressureReport> {
    const { print, steps, seriesCount, valueCount } = this.#options
    const watch = setInterval(() => this.#measure(), 50)
    const queries = this.#query()
    try {
      print(`${seriesCount} series, replaced ${generations} times in ${steps} steps`)
      await this.#sendChurn()
      print(`after the churn: ${await this.#describe()}`)
      await this.#sendValues()
      print(`after a label with ${valueCount} values: ${await this.#describe()}`)
    } catch (error) {
      this.#problems.push(error instanceof Error ? error.message : String(error))
    }
    this.#isOver = true
    await queries
    clearInterval(watch)
    const seriesRefused = await this.#checkAfter()
    this.#agent.destroy()
    const delaysMs = Float64Array.from(this.#delaysMs)
    return {
      ...{
        box: this.#box,
        peakBytes: this.#peakBytes,
        requests: delaysMs.length,
        refusals: this.#refusals,
        problems: this.#problems,
        seriesRefused,
      },
      ...{
        p99Ms: percentile(delaysMs, 0.99),
        p99RunningMs: percentile(Float64Array.from(this.#runningMs), 0.99),
        worstMs: percentile(delaysMs, 1),
        queriesAnswered: this.#answered,
        queriesRefused: this.#refused,
      },
    }
  }

  async #sendChurn(): Promise<void> {
    const { seriesCount, steps } = this.#options
    const replaceEveryMs = Math.floor(steps / replacements) * stepMs
    const load = new ChurnLoad({ seriesCount, samplesPerRequest, startMs: this.#firstMs, stepMs, replaceEveryMs })
    for (let step = 0; step < steps; step++) {
      load.step()
      for (let index = 0; index < load.requestCount; index++) await this.#write(load.encode(index))
    }
  }

  async #sendValues(): Promise<void> {
    const { valueCount } = this.#options
    const writer = new MessageWriter(1)
    const timeMs = Date.now()
    for (let first = 0; first < valueCount; first += samplesPerRequest) {
      const count = Math.min(samplesPerRequest, valueCount - first)
      const series = new EncodedSeries(count)
      const values = new Float64Array(count)
      for (let i = 0; i < count; i++) {
        series.setLabels(i, [
          ['__name__', 'http_requests_total'],
          ['job', 'wide'],
          ['user_id', `a3f1c9d2-${first + i}-b7e5`],
        ])
        values[i] = i
      }
      await this.#write(writer.write(series, 0, count, values, timeMs))
    }
  }

  /** One request, at the pace; what is refused has to say why. */
  async #write(message: Buffer): Promise<void> {
    const body = snappy.compressSync(message) as Buffer
    const waitedMs = this.#readWaitMs()
    const begunMs = performance.now()
    const { status, text } = await this.#send('/api/v1/write', body)
    const takenMs = performance.now() - begunMs
    this.#delaysMs.push(takenMs)
    this.#runningMs.push(Math.max(0, takenMs - (this.#readWaitMs() - waitedMs)))
    if (status === 400 && /limit|ceiling/.test(text)) this.#count(text)
    else if (status === 503) this.#count(text)
    else if (status !== 204) this.#problems.push(`a write was answered ${status}: ${text.slice(0, 200)}`)
    await sleep(Math.max(0, 1000 / this.#options.requestsPerSecond - takenMs))
  }

  /** Queries that want too much, one after another, and one that wants little. */
  async #query(): Promise<void> {
    const seconds = this.#firstMs / 1000
    const spanSeconds = ((this.#options.steps + 1) * stepMs) / 1000
    const all = encodeURIComponent('{__name__=~".+"}')
    const range = `start=${seconds}&end=${seconds + spanSeconds}`
    const large = [
      `/api/v1/query_range?query=${all}&${range}&step=${Math.ceil(spanSeconds / 10_900)}`,
      `/api/v1/query?query=${all}${encodeURIComponent(`[${this.#options.steps}m]`)}`,
      `/api/v1/query?query=${encodeURIComponent('sort_desc({__name__=~".+"})')}`,
      `/api/v1/query_range?query=${encodeURIComponent('topk(100000, {__name__=~".+"})')}&${range}&step=2`,
      `/api/v1/series?match[]=${all}&${range}`,
      `/api/v1/label/user_id/values`,
    ]
    for (let i = 0; !this.#isOver; i++) {
      const { status, text } = await this.#send(large[i % large.length]!).catch((error: Error) => ({ status: 0, text: error.message }))
      if (status === 200) this.#answered++
      else if (status === 422) {
        this.#refused++
        const { error } = JSON.parse(text) as { error: string }
        this.#count(error)
        if (!/bytes|memory|resolution/.test(error)) this.#problems.push(`a query was refused without its reason: ${error}`)
      } else this.#problems.push(`query ${i % large.length} was answered ${status}: ${text.slice(0, 200)}`)
      await sleep(200)
    }
  }

  /** What happened is told: series refused by the counter, with an example; and small queries are answered. */
  async #checkAfter(): Promise<number> {
    const limits = JSON.parse((await this.#send('/api/v1/narthex/limits')).text) as {
      data: { refusedSeries: { kind: string; reason: string; series: string; count: number }[] }
    }
    const { refusedSeries } = limits.data
    for (const { reason, series } of refusedSeries) {
      if (!/\d/.test(reason) || !series.startsWith('{')) this.#problems.push(`a refusal without its reason or example: ${reason} ${series}`)
    }
    const answer = await waitForAnswer(() => this.#send(`/api/v1/query?query=${encodeURIComponent('1 + 1')}`))
    if (answer !== 200) this.#problems.push(`a small query is answered ${answer} afterwards`)
    const { exitCode, signalCode } = this.#server.child
    if (exitCode !== null || signalCode !== null) this.#problems.push(`the server ended: ${exitCode ?? signalCode}`)
    this.#measure()
    if (this.#peakBytes > this.#options.boxBytes) this.#problems.push(`${Math.round(this.#peakBytes / mib)} MiB were used`)
    return refusedSeries.reduce((sum, { count }) => sum + count, 0)
  }

  async #describe(): Promise<string> {
    const { data } = JSON.parse((await this.#send('/api/v1/narthex/limits')).text) as {
      data: { memory: Record<string, { bytes?: number; limitBytes: number }>; series: { count: number } }
    }
    const parts = Object.entries(data.memory).map(([part, { bytes, limitBytes }]) => {
      return `${part} ${bytes === undefined ? '' : `${Math.round(bytes / mib)} of `}${Math.round(limitBytes / mib)}`
    })
    return `${data.series.count} series, MiB: ${parts.join(', ')}`
  }

  #count(text: string): void {
    const reason = text
      .split('\n')[0]!
      .replace(/ for series .*/, '')
      .replace(/\d+/g, 'N')
      .slice(0, 160)
    this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + 1)
  }

  /** The highest so far, as the system counts it. */
  #measure(): void {
    try {
      const kib = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.#server.pid}/status`, 'utf8'))?.[1])
      if (kib > 0) this.#peakBytes = kib * 1024
    } catch {
      // It has ended: others notice that.
    }
  }

  #readWaitMs(): number {
    return readWaitMs(this.#server.pid) + readWaitMs(process.pid)
  }

  #send(path: string, body?: Buffer): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers = {
        'Content-Type': 'application/x-protobuf',
        'Content-Encoding': 'snappy',
        'X-Prometheus-Remote-Write-Version': '0.1.0',
        'Content-Length': String(body?.length ?? 0),
      }
      const options = { agent: this.#agent, ...(body === undefined ? {} : { method: 'POST', headers }) }
      const call = request(`${this.#server.url}${path}`, options, (response) => {
        const { statusCode: status = 0 } = response
        const chunks: Buffer[] = []
        // Of a large answer nothing is looked at: reading it must not delay the writes that are measured.
        response.on('data', (chunk: Buffer) => {
          if (status !== 200 || chunks.length === 0) chunks.push(chunk)
        })
        response.on('end', () => resolve({ status, text: Buffer.concat(chunks).toString() }))
        response.on('error', reject)
      })
      call.on('error', reject)
      call.end(body)
    })
  }
}

/** Milliseconds that a process' main thread was ready to run and did not. */
function readWaitMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ')[1]) / 1e6 || 0
  } catch {
    return 0
  }
}

async function waitForAnswer(ask: () => Promise<{ status: number }>): Promise<number> {
  let status = 0
  for (let i = 0; i < 50 && status !== 200; i++) {
    status = (await ask()).status
    if (status !== 200) await sleep(200)
  }
  return status
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
