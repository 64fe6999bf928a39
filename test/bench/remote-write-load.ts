import { EncodedSeries } from './encoded-series.ts'
import { encodeSymbols, MessageWriter, type WriteLoad, type WriteProtocol } from './write-message.ts'
import { Xorshift } from './xorshift.ts'

export interface RemoteWriteLoadOptions {
  /** Between two steps; default 15 s. */
  readonly stepMs?: number
  readonly protocol?: WriteProtocol
  /** Default: `seriesLabels`. */
  readonly labelsOf?: (series: number) => SeriesLabels
}

/** Sorted by name. */
export type SeriesLabels = [name: string, value: string][]

/**
 * A stream of remote-write requests: the same series in every round, each one step later. 70 % counters that grow by
 * 0…49, 30 % gauges. Ten labels a series, as a Kubernetes scrape has them, if not told otherwise. The same seed gives the same bytes.
 */
export class RemoteWriteLoad implements WriteLoad {
  readonly requestCount: number
  readonly #samplesPerRequest: number
  readonly #stepMs: number
  readonly #series: EncodedSeries
  readonly #symbols: Buffer[] = []
  readonly #writer: MessageWriter
  readonly #values: Float64Array
  readonly #random = new Xorshift()
  #timeMs: number

  constructor(seriesCount: number, samplesPerRequest: number, startMs: number, options: RemoteWriteLoadOptions = {}) {
    const { stepMs = 15_000, protocol = 1, labelsOf = seriesLabels } = options
    this.#samplesPerRequest = samplesPerRequest
    this.#stepMs = stepMs
    this.requestCount = Math.ceil(seriesCount / samplesPerRequest)
    this.#timeMs = startMs
    this.#values = new Float64Array(seriesCount)
    this.#series = new EncodedSeries(seriesCount)
    this.#writer = new MessageWriter(protocol)
    for (let i = 0; i < seriesCount; i++) {
      if (protocol === 1) this.#series.setLabels(i, labelsOf(i))
      this.#values[i] = this.#random.next() % 100_000
    }
    if (protocol === 1) return
    for (let first = 0; first < seriesCount; first += samplesPerRequest) {
      const length = Math.min(samplesPerRequest, seriesCount - first)
      this.#symbols.push(
        encodeSymbols(
          this.#series,
          first,
          Array.from({ length }, (_, i) => labelsOf(first + i)),
        ),
      )
    }
  }

  /** Moves every series on by one step. */
  step(): void {
    this.#timeMs += this.#stepMs
    moveValues(this.#values, this.#random)
  }

  get timeMs(): number {
    return this.#timeMs
  }

  value(series: number): number {
    return this.#values[series]!
  }

  encode(index: number): Buffer {
    const first = index * this.#samplesPerRequest
    const last = Math.min(first + this.#samplesPerRequest, this.#values.length)
    return this.#writer.write(this.#series, first, last, this.#values, this.#timeMs, this.#symbols[index])
  }
}

/** Counters grow by 0…49; three of ten are gauges of 0…1,000 with three decimals. */
export function moveValues(values: Float64Array, random: Xorshift): void {
  for (let i = 0; i < values.length; i++) {
    if (i % 10 < 3) values[i] = (random.next() % 1_000_000) / 1000
    else values[i]! += random.next() % 50
  }
}

export const metricsPerPod = 200

/** Labels of series `i`, sorted by name: 200 metrics on each pod, of which there are 500 in 100,000 series. */
export function seriesLabels(i: number): SeriesLabels {
  const metric = i % metricsPerPod
  const pod = Math.floor(i / metricsPerPod)
  const hash = (Math.imul(pod + 1, 2654435761) >>> 0).toString(36).padStart(7, '0')
  return [
    ['__name__', `${metric % 10 < 3 ? 'app_worker_queue_depth' : 'app_http_requests_total'}_${String(metric).padStart(3, '0')}`],
    ['cluster', `production-europe-west-${pod % 3}`],
    ['container', `container-${metric % 7}`],
    ['endpoint', '/api/v1/resources/items'],
    ['env', 'production'],
    ['instance', `10.${pod & 31}.${(pod >> 3) & 255}.${pod % 250}:9100`],
    ['job', `service-${pod % 40}`],
    ['namespace', `team-${pod % 20}`],
    ['node', `worker-node-${pod % 60}.example.internal`],
    ['pod', `service-${pod % 40}-${hash}-${(pod * 7919).toString(36)}`],
  ]
}
