import type { BucketSpan, NativeHistogram } from '@narthex/model/native-histogram'

/** Numbers below `end`, the same for the same seed. */
export function makeDice(seed: number): (end: number) => number {
  let state = seed | 1
  return (end) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % end
  }
}

/** A source of histograms that count on: now and then new buckets, a reset, other layouts, gauges. */
export class HistogramWalk {
  readonly #dice: (end: number) => number
  readonly #custom: boolean
  readonly #kind: 'integers' | 'floats' | 'both'
  #isFloat = false
  #isGauge = false
  #schema = 1
  #zeroThreshold = 2 ** -128
  #zeroCount = 0
  #sum = 0
  readonly #positive = new Map<number, number>()
  readonly #negative = new Map<number, number>()

  constructor(dice: (end: number) => number, custom = false, kind: 'integers' | 'floats' | 'both' = 'both') {
    this.#dice = dice
    this.#kind = kind
    this.#isFloat = kind === 'floats'
    this.#custom = custom
  }

  next(): NativeHistogram {
    const dice = this.#dice
    const isOther = dice(40) === 0
    if (isOther) {
      if (this.#kind === 'both') this.#isFloat = dice(2) === 0
      this.#isGauge = !this.#custom && dice(3) === 0
      this.#schema = dice(4) - 1
      this.#zeroThreshold = [0, 2 ** -128, 1e-6][dice(3)]!
    }
    if (isOther || dice(25) === 0) {
      this.#positive.clear()
      this.#negative.clear()
      this.#zeroCount = 0
    }
    for (let n = dice(4); n >= 0; n--) this.#count(this.#positive, this.#custom ? dice(4) : dice(12) - 4)
    if (!this.#custom && dice(4) === 0) this.#count(this.#negative, dice(5))
    if (!this.#custom) this.#zeroCount += dice(3)
    if (this.#isGauge && dice(2) === 0) for (const [index, count] of this.#positive) this.#positive.set(index, Math.floor(count / 2))
    this.#sum += dice(1000) / 8
    return this.#make()
  }

  #count(side: Map<number, number>, index: number): void {
    side.set(index, (side.get(index) ?? 0) + 1 + this.#dice(9))
  }

  #make(): NativeHistogram {
    const isFloat = this.#isFloat
    const positive = toSide(this.#positive)
    const negative = toSide(this.#negative)
    const all = [...positive.counts, ...negative.counts, this.#zeroCount].reduce((sum, count) => sum + count, 0)
    return {
      schema: this.#custom ? -53 : this.#schema,
      isFloat,
      count: isFloat ? all + 0.5 : all,
      sum: this.#sum,
      zeroThreshold: this.#custom ? 0 : this.#zeroThreshold,
      zeroCount: this.#zeroCount,
      positiveSpans: positive.spans,
      negativeSpans: negative.spans,
      positiveDeltas: isFloat ? [] : toDeltas(positive.counts),
      negativeDeltas: isFloat ? [] : toDeltas(negative.counts),
      positiveCounts: isFloat ? positive.counts : [],
      negativeCounts: isFloat ? negative.counts : [],
      customValues: this.#custom ? [0.5, 1, 2.5] : [],
      isGauge: this.#isGauge,
    }
  }
}

function toSide(buckets: Map<number, number>): { spans: BucketSpan[]; counts: number[] } {
  const spans: BucketSpan[] = []
  const counts: number[] = []
  let end = 0
  for (const index of [...buckets.keys()].toSorted((a, b) => a - b)) {
    counts.push(buckets.get(index)!)
    if (spans.length > 0 && index === end) spans[spans.length - 1] = { offset: spans.at(-1)!.offset, length: spans.at(-1)!.length + 1 }
    else spans.push({ offset: index - end, length: 1 })
    end = index + 1
  }
  return { spans, counts }
}

function toDeltas(counts: readonly number[]): number[] {
  return counts.map((count, i) => count - (i === 0 ? 0 : counts[i - 1]!))
}

/** What a histogram says, however its buckets are laid out: empty ones are left out. */
export function describeHistogram(histogram: NativeHistogram): string {
  const { isFloat, schema, zeroThreshold, zeroCount, count, sum, isGauge, customValues } = histogram
  const positive = describeSide(histogram.positiveSpans, histogram.positiveDeltas, histogram.positiveCounts, isFloat)
  const negative = describeSide(histogram.negativeSpans, histogram.negativeDeltas, histogram.negativeCounts, isFloat)
  return JSON.stringify({ isFloat, schema, zeroThreshold, zeroCount, count, sum, isGauge, customValues, positive, negative })
}

function describeSide(spans: readonly BucketSpan[], deltas: readonly number[], counts: readonly number[], isFloat: boolean): string {
  const parts: string[] = []
  let index = 0
  let at = 0
  let count = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++, index++, at++) {
      count = isFloat ? counts[at]! : count + deltas[at]!
      if (count !== 0) parts.push(`${index}:${count}`)
    }
  }
  return parts.join(' ')
}
