import type { FamilyWriter } from '@narthex/exposition/family-writer'

/** Most label combinations kept per metric; further ones are given a cell that is not printed, and counted as refused. */
export const cellsPerMetricMax = 20_000

type ScalarType = 'counter' | 'gauge'

/** One counter value. Keep the cell where it is incremented often: `inc` is then one addition. */
export class CounterCell {
  value = 0

  /** Adds `by` ≥ 0. */
  inc(by = 1): void {
    this.value += by
  }

  /** Mirrors a total counted elsewhere (another thread, shared memory). */
  setTotal(total: number): void {
    this.value = total
  }
}

export class GaugeCell {
  value = 0

  set(value: number): void {
    this.value = value
  }

  inc(by = 1): void {
    this.value += by
  }

  dec(by = 1): void {
    this.value -= by
  }
}

export class HistogramCell {
  readonly counts: Float64Array
  sum = 0
  count = 0
  readonly #bounds: readonly number[]

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.counts = new Float64Array(bounds.length)
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let bucket = 0
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++
    if (bucket < bounds.length) this.counts[bucket]!++
    this.sum += value
    this.count++
  }

  /** Adds what another cell with the same bounds observed. */
  merge(other: Pick<HistogramCell, 'counts' | 'sum' | 'count'>): void {
    for (let bucket = 0; bucket < this.counts.length; bucket++) this.counts[bucket]! += other.counts[bucket]!
    this.sum += other.sum
    this.count += other.count
  }
}

/** Sum, count and quantiles of the newest 500 observations no older than ten minutes (Go's summary forgets over the same time). */
export class SummaryCell {
  sum = 0
  count = 0
  readonly #recent: Float64Array
  readonly #times: Float64Array
  readonly #now: () => number

  constructor(keepsQuantiles: boolean, now: () => number) {
    this.#recent = new Float64Array(keepsQuantiles ? summaryWindow : 0)
    this.#times = new Float64Array(keepsQuantiles ? summaryWindow : 0)
    this.#now = now
  }

  observe(value: number): void {
    if (this.#recent.length > 0) {
      const slot = this.count % summaryWindow
      this.#recent[slot] = value
      this.#times[slot] = this.#now()
    }
    this.sum += value
    this.count++
  }

  /** The recent observations in ascending order. */
  recent(): Float64Array {
    const oldest = this.#now() - summaryAgeMs
    const stored = Math.min(this.count, this.#recent.length)
    const kept = new Float64Array(stored)
    let length = 0
    for (let slot = 0; slot < stored; slot++) if (this.#times[slot]! >= oldest) kept[length++] = this.#recent[slot]!
    return kept.subarray(0, length).sort()
  }
}

const summaryWindow = 500
const summaryAgeMs = 600_000

/** A metric with its cells by label values. Without label names there is one cell, there from the start. */
abstract class Metric<Cell> {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
  readonly #cells = new Map<string, { readonly labels: readonly string[]; readonly cell: Cell }>()
  readonly #refused: () => void

  constructor(name: string, help: string, labelNames: readonly string[], refused: () => void) {
    this.name = name
    this.help = help
    this.labelNames = labelNames
    this.#refused = refused
  }

  protected abstract createCell(): Cell
  abstract write(writer: FamilyWriter): void

  /** The cell of these label values (in the order of the label names), made on first use. */
  labels(...values: readonly string[]): Cell {
    const key = values.length === 1 ? values[0]! : values.join('\xff')
    const known = this.#cells.get(key)
    if (known !== undefined) return known.cell
    if (values.length !== this.labelNames.length) {
      throw new Error(`cannot find cell of ${this.name}: want ${this.labelNames.length} label values, got ${values.length}`)
    }
    const cell = this.createCell()
    if (this.#cells.size >= cellsPerMetricMax) {
      this.#refused()
      return cell
    }
    this.#cells.set(key, { labels: this.labelNames.flatMap((name, index) => [name, values[index]!]), cell })
    return cell
  }

  /** Forgets one label combination; it is no longer printed. */
  remove(...values: readonly string[]): void {
    this.#cells.delete(values.join('\xff'))
  }

  /** Forgets all label combinations. */
  clear(): void {
    this.#cells.clear()
  }

  /** Every cell with its labels: name, value, name, value, … */
  *entries(): Iterable<{ readonly labels: readonly string[]; readonly cell: Cell }> {
    yield* this.#cells.values()
  }
}

abstract class ScalarMetric<Cell extends { value: number }> extends Metric<Cell> {
  protected abstract readonly type: ScalarType

  override write(writer: FamilyWriter): void {
    writer.family(this.name, this.help, this.type)
    for (const { labels, cell } of this.entries()) writer.sample(cell.value, labels)
  }
}

export class Counter extends ScalarMetric<CounterCell> {
  protected readonly type = 'counter'
  protected createCell(): CounterCell {
    return new CounterCell()
  }

  inc(by = 1, ...labelValues: readonly string[]): void {
    this.labels(...labelValues).inc(by)
  }
}

export class Gauge extends ScalarMetric<GaugeCell> {
  protected readonly type = 'gauge'
  protected createCell(): GaugeCell {
    return new GaugeCell()
  }

  set(value: number, ...labelValues: readonly string[]): void {
    this.labels(...labelValues).set(value)
  }

  inc(by = 1, ...labelValues: readonly string[]): void {
    this.labels(...labelValues).inc(by)
  }

  dec(by = 1, ...labelValues: readonly string[]): void {
    this.labels(...labelValues).dec(by)
  }
}

export class Histogram extends Metric<HistogramCell> {
  readonly bounds: readonly number[]

  constructor(name: string, help: string, labelNames: readonly string[], bounds: readonly number[], refused: () => void) {
    super(name, help, labelNames, refused)
    this.bounds = bounds
  }

  protected createCell(): HistogramCell {
    return new HistogramCell(this.bounds)
  }

  observe(value: number, ...labelValues: readonly string[]): void {
    this.labels(...labelValues).observe(value)
  }

  override write(writer: FamilyWriter): void {
    writer.family(this.name, this.help, 'histogram')
    for (const { labels, cell } of this.entries()) {
      let cumulative = 0
      for (let bucket = 0; bucket < this.bounds.length; bucket++) {
        cumulative += cell.counts[bucket]!
        writer.sample(cumulative, [...labels, 'le', String(this.bounds[bucket])], '_bucket')
      }
      writer.sample(cell.count, [...labels, 'le', '+Inf'], '_bucket')
      writer.sample(cell.sum, labels, '_sum')
      writer.sample(cell.count, labels, '_count')
    }
  }
}

export class Summary extends Metric<SummaryCell> {
  readonly #quantiles: readonly number[]
  readonly #now: () => number

  constructor(
    name: string,
    help: string,
    labelNames: readonly string[],
    quantiles: readonly number[],
    now: () => number,
    refused: () => void,
  ) {
    super(name, help, labelNames, refused)
    this.#quantiles = quantiles
    this.#now = now
  }

  protected createCell(): SummaryCell {
    return new SummaryCell(this.#quantiles.length > 0, this.#now)
  }

  observe(value: number, ...labelValues: readonly string[]): void {
    this.labels(...labelValues).observe(value)
  }

  override write(writer: FamilyWriter): void {
    writer.family(this.name, this.help, 'summary')
    for (const { labels, cell } of this.entries()) {
      const recent = this.#quantiles.length > 0 ? cell.recent() : undefined
      for (const quantile of this.#quantiles) {
        const rank = recent === undefined ? 0 : Math.max(0, Math.ceil(quantile * recent.length) - 1)
        writer.sample(recent?.[rank] ?? NaN, [...labels, 'quantile', String(quantile)])
      }
      writer.sample(cell.sum, labels, '_sum')
      writer.sample(cell.count, labels, '_count')
    }
  }
}

/** Go client's default buckets, in seconds. */
export const defaultBuckets: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** The process's own metrics. Asking twice for the same name gives the same metric. */
export class Registry {
  readonly #metrics = new Map<string, Metric<unknown>>()
  readonly #collectors: (() => void)[] = []
  readonly #writers: ((writer: FamilyWriter) => void)[] = []
  readonly #preparations: (() => Promise<void>)[] = []
  readonly #now: () => number
  #refusedCells: Counter | undefined

  constructor(options: { readonly now?: () => number } = {}) {
    this.#now = options.now ?? Date.now
  }

  counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    return this.#add(name, labelNames, Counter, () => new Counter(name, help, labelNames, this.#refuse(name)))
  }

  gauge(name: string, help: string, labelNames: readonly string[] = []): Gauge {
    return this.#add(name, labelNames, Gauge, () => new Gauge(name, help, labelNames, this.#refuse(name)))
  }

  /** `buckets` are the upper bounds in ascending order, without +Inf. */
  histogram(name: string, help: string, labelNames: readonly string[] = [], buckets: readonly number[] = defaultBuckets): Histogram {
    return this.#add(name, labelNames, Histogram, () => new Histogram(name, help, labelNames, buckets, this.#refuse(name)))
  }

  /** Without `quantiles` only `_sum` and `_count` are printed. */
  summary(name: string, help: string, labelNames: readonly string[] = [], quantiles: readonly number[] = []): Summary {
    return this.#add(name, labelNames, Summary, () => new Summary(name, help, labelNames, quantiles, this.#now, this.#refuse(name)))
  }

  /** Called before each write, to set gauges that are cheaper to ask for than to keep. */
  onCollect(collect: () => void): void {
    this.#collectors.push(collect)
  }

  /** Called at the end of each write, for parts that print families of their own. */
  onWrite(write: (writer: FamilyWriter) => void): void {
    this.#writers.push(write)
  }

  /** Called by `prepare`, for values that can only be had by waiting. */
  onPrepare(prepare: () => Promise<void>): void {
    this.#preparations.push(prepare)
  }

  /** Await before `write` to have every value fresh; without it, values that need waiting are those of the last time. */
  async prepare(): Promise<void> {
    await Promise.all(this.#preparations.map((prepare) => prepare()))
  }

  /** Takes the metric out of the output. */
  unregister(name: string): void {
    this.#metrics.delete(name)
  }

  write(writer: FamilyWriter): void {
    for (const collect of this.#collectors) collect()
    for (const metric of this.#metrics.values()) metric.write(writer)
    for (const write of this.#writers) write(writer)
  }

  #add<Kind extends Metric<unknown>>(
    name: string,
    labelNames: readonly string[],
    kind: abstract new (...parameters: never[]) => Kind,
    create: () => Kind,
  ): Kind {
    const known = this.#metrics.get(name)
    if (known !== undefined) {
      if (known instanceof kind && known.labelNames.join() === labelNames.join()) return known
      throw new Error(`cannot register metric ${name}: want the type and labels it has already, got others`)
    }
    const metric = create()
    this.#metrics.set(name, metric)
    if (labelNames.length === 0) metric.labels()
    return metric
  }

  #refuse(name: string): () => void {
    return () => {
      this.#refusedCells ??= this.counter('narthex_metric_cells_refused_total', 'Label combinations not kept for lack of room.', ['metric'])
      this.#refusedCells.inc(1, name)
    }
  }
}
