import { appendResult } from './appender.ts'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import type { HeadAppender } from './appender.ts'

/** A head in plain objects, for tests: committed samples by series text, and what was asked of it. */
export class FakeHead implements HeadAppender {
  readonly committed = new Map<string, Map<number, string>>()
  commits = 0
  wireLookups = 0
  seriesMax = Infinity
  failCommit: Error | undefined
  isFull = false
  #pending: [string, number, string][] = []
  #symbols: string[] = ['']
  #series: string[] = ['']
  #wire = new Map<string, number>()

  refByWire(bytes: Uint8Array, start: number, end: number): number {
    this.wireLookups++
    return this.#wire.get(latin(bytes, start, end)) ?? 0
  }

  rememberWire(bytes: Uint8Array, start: number, end: number, ref: number): void {
    this.#wire.set(latin(bytes, start, end), ref)
  }

  internSymbol(bytes: Uint8Array, start: number, end: number): number {
    return place(this.#symbols, Buffer.from(bytes.subarray(start, end)).toString('utf8'))
  }

  refBySymbols(pairs: Uint32Array, pairCount: number): number {
    const labels: [string, string][] = []
    for (let i = 0; i < pairCount; i++) labels.push([this.#symbols[pairs[2 * i]!]!, this.#symbols[pairs[2 * i + 1]!]!])
    const text = JSON.stringify(labels.sort(([a], [b]) => (a < b ? -1 : 1)))
    if (!this.#series.includes(text) && this.#series.length > this.seriesMax) return -1
    return place(this.#series, text)
  }

  append(ref: number, timeMs: number, lowWord: number, highWord: number): number {
    if (this.isFull) return appendResult.memoryCeiling
    return this.#push(ref, timeMs, `${highWord.toString(16).padStart(8, '0')}${lowWord.toString(16).padStart(8, '0')}`)
  }

  #push(ref: number, timeMs: number, value: string): number {
    const series = this.#series[ref]!
    const samples = this.committed.get(series)
    const stored = samples?.get(timeMs) ?? this.#pending.find(([name, time]) => name === series && time === timeMs)?.[2]
    if (stored !== undefined) return stored === value ? appendResult.accepted : appendResult.duplicate
    if (samples !== undefined && timeMs < Math.max(...samples.keys())) return appendResult.outOfOrder
    this.#pending.push([series, timeMs, value])
    return appendResult.accepted
  }

  appendHistogram(ref: number, timeMs: number, histogram: NativeHistogram, resetHint: 0 | 1 | 2 | 3): number {
    if (this.isFull) return appendResult.memoryCeiling
    if (histogram.count < 0 || histogram.schema === -53) return appendResult.invalidHistogram
    return this.#push(ref, timeMs, `${histogram.isFloat ? 'float ' : ''}histogram of ${histogram.count}, hint ${resetHint}`)
  }

  appendStaleHistogram(ref: number, timeMs: number, isFloat: boolean): number {
    return this.#push(ref, timeMs, isFloat ? 'stale float histogram' : 'stale histogram')
  }

  commit(): void {
    if (this.failCommit !== undefined) throw this.failCommit
    for (const [series, time, value] of this.#pending) {
      let samples = this.committed.get(series)
      if (samples === undefined) this.committed.set(series, (samples = new Map()))
      samples.set(time, value)
    }
    this.#pending = []
    this.commits++
  }

  rollback(): void {
    this.#pending = []
  }

  refusal(): string {
    return `series limit of ${this.seriesMax} reached`
  }

  get sampleCount(): number {
    let count = 0
    for (const samples of this.committed.values()) count += samples.size
    return count
  }

  get pendingCount(): number {
    return this.#pending.length
  }
}

function latin(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString('latin1')
}

function place(list: string[], text: string): number {
  const at = list.indexOf(text)
  return at >= 0 ? at : list.push(text) - 1
}
