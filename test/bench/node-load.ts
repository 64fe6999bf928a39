import { EncodedSeries } from './encoded-series.ts'
import { MessageWriter, type WriteLoad } from './write-message.ts'
import { Xorshift } from './xorshift.ts'

export interface NodeLoadOptions {
  /** Answers of a node exporter, a second apart (`recordNodeExporter`). */
  readonly texts: readonly string[]
  readonly hosts: number
  readonly seriesPerHost: number
  readonly samplesPerRequest: number
  readonly startMs: number
  readonly stepMs: number
}

/** One line of the recorded answers: what its values were, and by how much they moved. */
interface RecordedLine {
  readonly labels: readonly (readonly [string, string])[]
  readonly isCounter: boolean
  readonly values: readonly number[]
  /** Empty if the value never moved. */
  readonly deltas: readonly number[]
  /** 10 to the power of the decimals that the exporter prints. */
  readonly scale: number
}

const linePattern = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const labelPattern = /(\w+)="((?:[^"\\]|\\.)*)"/g

/**
 * Many hosts with the lines of a recorded node exporter: what stood still there stands still, counters grow by what they grew, gauges take values
 * that they had and move from them as they moved. Each host goes its own way. The same texts give the same bytes.
 */
export class NodeLoad implements WriteLoad {
  readonly requestCount: number
  /** Lines of a host whose value moves. */
  readonly movingLines: number
  readonly #options: NodeLoadOptions
  readonly #lines: readonly RecordedLine[]
  readonly #series: EncodedSeries
  readonly #writer = new MessageWriter(1)
  readonly #values: Float64Array
  readonly #random = new Xorshift()
  #timeMs: number

  constructor(options: NodeLoadOptions) {
    const { texts, hosts, seriesPerHost, samplesPerRequest, startMs } = options
    this.#options = options
    this.#lines = readLines(texts, seriesPerHost)
    this.movingLines = this.#lines.filter(({ deltas }) => deltas.length > 0).length
    const seriesCount = hosts * seriesPerHost
    this.requestCount = Math.ceil(seriesCount / samplesPerRequest)
    this.#series = new EncodedSeries(seriesCount)
    this.#values = new Float64Array(seriesCount)
    this.#timeMs = startMs
    for (let host = 0; host < hosts; host++) {
      const own = [['instance', `host-${host}.example.internal:9100`] as const, ['job', 'node'] as const]
      for (const [i, { labels, values, scale, isCounter }] of this.#lines.entries()) {
        const series = host * seriesPerHost + i
        this.#series.setLabels(series, sortLabels([...labels, ...own]))
        // No two machines have been up for as long.
        const first = values[0]!
        this.#values[series] = isCounter && first !== 0 ? round(first * (0.5 + (this.#random.next() % 1000) / 1000), scale) : first
      }
    }
  }

  get timeMs(): number {
    return this.#timeMs
  }

  step(): void {
    const { stepMs } = this.#options
    this.#timeMs += stepMs
    const lines = this.#lines
    const values = this.#values
    const random = this.#random
    // Recorded second by second: three draws stand for the whole step.
    const factor = stepMs / 1000 / 3
    for (let i = 0; i < lines.length; i++) {
      const { deltas, isCounter, values: recorded, scale } = lines[i]!
      if (deltas.length === 0) continue
      const draw = (): number => deltas[random.next() % deltas.length]!
      for (let series = i; series < values.length; series += lines.length) {
        if (isCounter) values[series] = round(values[series]! + Math.max(0, (draw() + draw() + draw()) * factor), scale)
        else values[series] = round(recorded[random.next() % recorded.length]! + draw(), scale)
      }
    }
  }

  encode(index: number): Buffer {
    const { samplesPerRequest } = this.#options
    const first = index * samplesPerRequest
    return this.#writer.write(this.#series, first, Math.min(first + samplesPerRequest, this.#values.length), this.#values, this.#timeMs)
  }
}

/** The lines that all texts have, `count` of them: then the same once more under another label, as of a machine with more devices. */
function readLines(texts: readonly string[], count: number): RecordedLine[] {
  const columns = new Map<string, { isCounter: boolean; values: number[]; decimals: number }>()
  for (const text of texts) {
    const types = new Map<string, string>()
    for (const line of text.split('\n')) {
      const [, family, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? []
      if (family !== undefined) types.set(family, type!)
      const match = linePattern.exec(line)
      if (match === null) continue
      const [, name, labels, value] = match
      const column = columns.get(`${name}{${labels ?? ''}}`) ?? { isCounter: isCumulative(name!, types), values: [], decimals: 0 }
      column.values.push(Number(value))
      column.decimals = Math.max(column.decimals, countDecimals(value!))
      columns.set(`${name}{${labels ?? ''}}`, column)
    }
  }
  const lines: RecordedLine[] = []
  for (const [key, { isCounter, values, decimals }] of columns) {
    if (values.length !== texts.length || !values.every(Number.isFinite)) continue
    const deltas = values.slice(1).map((value, i) => value - values[i]!)
    const labels = readLabels(key)
    lines.push({ labels, isCounter, values, deltas: deltas.some((delta) => delta !== 0) ? deltas : [], scale: 10 ** decimals })
  }
  if (lines.length === 0) throw new Error('cannot make a load of a node exporter: its answers have no line in common')
  for (let i = 0; lines.length < count; i++) {
    const line = lines[i]!
    lines.push({ ...line, labels: [...line.labels.filter(([name]) => name !== 'unit'), ['unit', `extra-${i}`]] })
  }
  return lines.slice(0, count)
}

function isCumulative(name: string, types: ReadonlyMap<string, string>): boolean {
  const type = types.get(name)
  if (type !== undefined) return type === 'counter'
  return /_(sum|count|bucket)$/.test(name)
}

function readLabels(key: string): (readonly [string, string])[] {
  const brace = key.indexOf('{')
  const labels: (readonly [string, string])[] = [['__name__', key.slice(0, brace)]]
  for (const [, name, quoted] of key.slice(brace).matchAll(labelPattern)) {
    const value = quoted!.replaceAll(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character))
    // A label without a value is none.
    if (value !== '') labels.push([name!, value])
  }
  return labels
}

function countDecimals(text: string): number {
  const [, decimals = '', exponent = '0'] = /^-?\d+(?:\.(\d+))?(?:e([+-]\d+))?$/i.exec(text) ?? []
  return Math.min(9, Math.max(0, decimals.length - Number(exponent)))
}

function round(value: number, scale: number): number {
  return Math.round(value * scale) / scale
}

function sortLabels(labels: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  return labels.toSorted(([a], [b]) => (a < b ? -1 : 1))
}
