import type { LabelPairs } from '../head/label-pairs.ts'
import type { Symbols } from '../head/symbols.ts'

export interface NamedCount {
  readonly name: string
  readonly value: number
}

export interface HeadStatus {
  readonly seriesCount: number
  readonly labelPairCount: number
  readonly symbolCount: number
  readonly chunkCount: number
  /** +Infinity and -Infinity if there is no sample. */
  readonly minTimeMs: number
  readonly maxTimeMs: number
  readonly seriesCountByMetricName: readonly NamedCount[]
  readonly labelValueCountByLabelName: readonly NamedCount[]
  /** Bytes of a name's values, each counted once per series that has it. */
  readonly memoryInBytesByLabelName: readonly NamedCount[]
  readonly seriesCountByLabelValuePair: readonly NamedCount[]
}

type Lists = Pick<
  HeadStatus,
  'seriesCountByMetricName' | 'labelValueCountByLabelName' | 'memoryInBytesByLabelName' | 'seriesCountByLabelValuePair'
>

/** The longest lists, by one pass over all label pairs; strings are made only for what is listed. */
export function measureHead(symbols: Symbols, pairs: LabelPairs, limit: number): Lists {
  const byMetric = new Top(limit)
  const valueCounts = new Top(limit)
  const bytes = new Top(limit)
  const byPair = new Top(limit)
  for (let record = pairs.firstName(); record !== 0; record = pairs.next(record)) {
    const isMetricName = symbols.text(pairs.name(record)) === '__name__'
    const nameBytes = sizeOfText(symbols.length(pairs.name(record)))
    let labelBytes = 0
    for (let pair = pairs.firstValue(record); pair !== 0; pair = pairs.next(pair)) {
      const series = pairs.count(pair)
      labelBytes += series * (nameBytes + sizeOfText(symbols.length(pairs.value(pair))))
      byPair.add(pair, series)
      if (isMetricName) byMetric.add(pair, series)
    }
    valueCounts.add(record, pairs.count(record))
    bytes.add(record, labelBytes)
  }
  const name = (record: number): string => symbols.text(pairs.name(record))
  const value = (pair: number): string => symbols.text(pairs.value(pair))
  return {
    seriesCountByMetricName: byMetric.list(value),
    labelValueCountByLabelName: valueCounts.list(name),
    memoryInBytesByLabelName: bytes.list(name),
    seriesCountByLabelValuePair: byPair.list((pair) => `${name(pair)}=${value(pair)}`),
  }
}

/** As Prometheus keeps a text in a label set: behind its length in one byte, or in four. */
function sizeOfText(length: number): number {
  return length + (length < 255 ? 1 : 4)
}

/** The `limit` entries of the highest value. */
class Top {
  readonly #limit: number
  readonly #entries: { readonly id: number; readonly value: number }[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  add(id: number, value: number): void {
    const entries = this.#entries
    if (entries.length >= this.#limit && value <= (entries.at(-1)?.value ?? Infinity)) return
    let at = entries.length
    while (at > 0 && entries[at - 1]!.value < value) at--
    entries.splice(at, 0, { id, value })
    if (entries.length > this.#limit) entries.pop()
  }

  list(describe: (id: number) => string): NamedCount[] {
    return this.#entries.map(({ id, value }) => ({ name: describe(id), value }))
  }
}
