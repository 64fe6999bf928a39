import { EncodedSeries } from './encoded-series.ts'
import { metricsPerPod, moveValues, seriesLabels } from './remote-write-load.ts'
import { MessageWriter, type WriteLoad } from './write-message.ts'
import { Xorshift } from './xorshift.ts'

export interface ChurnLoadOptions {
  /** Series alive at any time; a multiple of 1,000: whole pods, and a whole fifth of them. */
  readonly seriesCount: number
  readonly samplesPerRequest: number
  readonly startMs: number
  readonly stepMs: number
  readonly replaceEveryMs: number
}

/** Of the pods, a fifth is replaced at a time: each lives five times as long as the pause between two replacements. */
const sharesOfPods = 5

/** Pods that come and go as under a rolling deployment: at any time the same number of series, ever new ones. */
export class ChurnLoad implements WriteLoad {
  readonly requestCount: number
  readonly #options: ChurnLoadOptions
  readonly #series: EncodedSeries
  readonly #writer = new MessageWriter(1)
  readonly #values: Float64Array
  readonly #random = new Xorshift()
  readonly #podCount: number
  #replacements = 0
  #timeMs: number

  constructor(options: ChurnLoadOptions) {
    const { seriesCount, samplesPerRequest, startMs } = options
    this.#options = options
    this.requestCount = Math.ceil(seriesCount / samplesPerRequest)
    this.#podCount = seriesCount / metricsPerPod
    if (!Number.isInteger(this.#podCount / sharesOfPods)) {
      throw new RangeError(`cannot make a churn load: want a multiple of ${metricsPerPod * sharesOfPods} series, got ${seriesCount}`)
    }
    this.#series = new EncodedSeries(seriesCount)
    this.#values = new Float64Array(seriesCount)
    this.#timeMs = startMs
    for (let slot = 0; slot < this.#podCount; slot++) this.#setPod(slot, slot)
  }

  get timeMs(): number {
    return this.#timeMs
  }

  /** Series that there are after so many steps, those of the first pods included. */
  static seriesCreated({ seriesCount, stepMs, replaceEveryMs }: ChurnLoadOptions, steps: number): number {
    return seriesCount * (1 + Math.floor((steps * stepMs) / replaceEveryMs) / sharesOfPods)
  }

  step(): void {
    this.#timeMs += this.#options.stepMs
    const due = Math.floor((this.#timeMs - this.#options.startMs) / this.#options.replaceEveryMs)
    while (this.#replacements < due) this.#replace()
    moveValues(this.#values, this.#random)
  }

  encode(index: number): Buffer {
    const { samplesPerRequest } = this.#options
    const first = index * samplesPerRequest
    return this.#writer.write(this.#series, first, Math.min(first + samplesPerRequest, this.#values.length), this.#values, this.#timeMs)
  }

  #replace(): void {
    const share = this.#replacements++ % sharesOfPods
    const perShare = this.#podCount / sharesOfPods
    const firstPod = this.#podCount + (this.#replacements - 1) * perShare
    for (let i = 0; i < perShare; i++) this.#setPod(i * sharesOfPods + share, firstPod + i)
  }

  /** A new pod in place of another: its counters begin anew. */
  #setPod(slot: number, pod: number): void {
    for (let metric = 0; metric < metricsPerPod; metric++) {
      const series = slot * metricsPerPod + metric
      this.#series.setLabels(series, seriesLabels(pod * metricsPerPod + metric))
      this.#values[series] = this.#random.next() % 1000
    }
  }
}
