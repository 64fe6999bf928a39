/**
 * A stream of remote-write 1.0 requests: the same series in every round, each one step later. 70 % counters that grow by
 * 0…49, 30 % gauges. Ten labels a series, as a Kubernetes scrape has them. The same seed gives the same bytes.
 */
export class RemoteWriteLoad {
  readonly requestCount: number
  readonly #samplesPerRequest: number
  readonly #labels: Buffer[] = []
  readonly #values: Float64Array
  readonly #isGauge: Uint8Array
  #timeMs: number
  #random = 0x9e3779b9
  #buffer = Buffer.alloc(4 * 1024 * 1024)

  constructor(seriesCount: number, samplesPerRequest: number, startMs: number) {
    this.#samplesPerRequest = samplesPerRequest
    this.requestCount = Math.ceil(seriesCount / samplesPerRequest)
    this.#timeMs = startMs
    this.#values = new Float64Array(seriesCount)
    this.#isGauge = new Uint8Array(seriesCount)
    for (let i = 0; i < seriesCount; i++) {
      this.#labels.push(encodeLabels(seriesLabels(i)))
      this.#isGauge[i] = i % 10 < 3 ? 1 : 0
      this.#values[i] = this.#next() % 100_000
    }
  }

  /** Moves every series on by one step of 15 s. */
  step(): void {
    this.#timeMs += 15_000
    for (let i = 0; i < this.#values.length; i++) {
      if (this.#isGauge[i]) this.#values[i] = (this.#next() % 1_000_000) / 1000
      else this.#values[i]! += this.#next() % 50
    }
  }

  get timeMs(): number {
    return this.#timeMs
  }

  value(series: number): number {
    return this.#values[series]!
  }

  /** Bytes of request `index` of the current step, not compressed. Valid until the next call. */
  encode(index: number): Buffer {
    const first = index * this.#samplesPerRequest
    const last = Math.min(first + this.#samplesPerRequest, this.#values.length)
    let at = 0
    for (let i = first; i < last; i++) {
      const labels = this.#labels[i]!
      // TimeSeries{labels…, samples[2]: Sample{value[1] double, timestamp[2] int64}}
      const timeBytes = varintLength(this.#timeMs)
      const sampleBytes = 9 + 1 + timeBytes
      const bodyBytes = labels.length + 2 + sampleBytes
      if (at + bodyBytes + 16 > this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer, Buffer.alloc(this.#buffer.length)])
      const buffer = this.#buffer
      buffer[at++] = 0x0a
      at = writeVarint(buffer, at, bodyBytes)
      at += labels.copy(buffer, at)
      buffer[at++] = 0x12
      buffer[at++] = sampleBytes
      buffer[at++] = 0x09
      at = buffer.writeDoubleLE(this.#values[i]!, at)
      buffer[at++] = 0x10
      at = writeVarint(buffer, at, this.#timeMs)
    }
    return this.#buffer.subarray(0, at)
  }

  // xorshift32
  #next(): number {
    let x = this.#random
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#random = x >>> 0
    return this.#random
  }
}

/** Labels of series `i`, sorted by name: 200 metrics on 500 pods. */
export function seriesLabels(i: number): [name: string, value: string][] {
  const metric = i % 200
  const pod = Math.floor(i / 200)
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

function encodeLabels(labels: readonly [string, string][]): Buffer {
  const parts: Buffer[] = []
  for (const [name, value] of labels) {
    const n = Buffer.from(name)
    const v = Buffer.from(value)
    const inner = Buffer.concat([Buffer.from([0x0a, n.length]), n, Buffer.from([0x12, v.length]), v])
    parts.push(Buffer.from([0x0a, inner.length]), inner)
  }
  return Buffer.concat(parts)
}

function varintLength(value: number): number {
  let bytes = 1
  while (value >= 128) {
    value = Math.floor(value / 128)
    bytes++
  }
  return bytes
}

function writeVarint(buffer: Buffer, at: number, value: number): number {
  while (value >= 128) {
    buffer[at++] = (value % 128) | 128
    value = Math.floor(value / 128)
  }
  buffer[at++] = value
  return at
}
