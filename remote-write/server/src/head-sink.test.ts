import { DiskFullError } from '@narthex/tsdb/disk-guard'
import { LayoutBuilder } from '@narthex/agent/store/layout-builder'
import type { SeriesLayout } from '@narthex/agent/store/frame'
import { Labels } from '@narthex/model/labels'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { expect, test } from 'vitest'
import type { HeadAppender } from './head-appender.ts'
import { HeadSink } from './head-sink.ts'

/** A head that keeps committed samples as `labels@time=low,high`. */
class FakeHead implements HeadAppender {
  referenceVersion = 0
  readonly stored: string[] = []
  readonly symbols: string[] = ['']
  readonly series: string[] = ['']
  seriesMax = Infinity
  lookups = 0
  appendResult = 0
  invalid = false
  commitError: Error | undefined
  #pending: string[] = []

  internSymbol(bytes: Uint8Array, start: number, end: number): number {
    const text = Buffer.from(bytes.subarray(start, end)).toString('utf8')
    const known = this.symbols.indexOf(text)
    return known > 0 ? known : this.symbols.push(text) - 1
  }

  refBySymbols(pairs: Uint32Array, pairCount: number): number {
    this.lookups++
    const text = Array.from(pairs.subarray(0, 2 * pairCount), (symbol) => this.symbols[symbol]).join(' ')
    const known = this.series.indexOf(text)
    if (known > 0) return known
    return this.series.length > this.seriesMax ? -1 : this.series.push(text) - 1
  }

  refByLabels(): number {
    throw new Error('not used')
  }

  beginOwn(): void {}

  append(ref: number, timeMs: number, lowWord: number, highWord: number): number {
    if (this.appendResult === 0) this.#pending.push(`${this.series[ref]}@${timeMs}=${lowWord},${highWord}`)
    return this.appendResult
  }

  appendHistogram(ref: number, timeMs: number, { count, schema }: NativeHistogram): number {
    if (this.invalid) return 8
    this.#pending.push(`${this.series[ref]}@${timeMs}=histogram of ${count} at schema ${schema}`)
    return 0
  }

  appendStaleHistogram(ref: number, timeMs: number): number {
    this.#pending.push(`${this.series[ref]}@${timeMs}=stale`)
    return 0
  }

  commit(): void {
    if (this.commitError) throw this.commitError
    this.stored.push(...this.#pending.splice(0))
  }

  rollback(): void {
    this.#pending = []
  }

  refusal(): string {
    return 'the ceiling is reached'
  }
}

function makeSink() {
  const head = new FakeHead()
  const warnings: string[] = []
  const clock = { nowMs: 0 }
  const log = { warn: (message: string, fields?: Record<string, unknown>) => void warnings.push(`${message} ${JSON.stringify(fields)}`) }
  return { head, warnings, clock, sink: new HeadSink(head, log, () => clock.nowMs) }
}

function layoutOf(...series: Record<string, string>[]): SeriesLayout {
  const builder = new LayoutBuilder()
  for (const labels of series) builder.addSeries(Labels.from(labels))
  return builder.build(1)
}

test('appends each sample to the series of its layout, stale markers bit by bit', () => {
  const { head, sink } = makeSink()
  const layout = layoutOf({ a: '1', b: '2' }, { a: '2' }, { c: 'ü'.repeat(200) })
  sink.append({ layout, indexes: undefined, times: 7, words: Uint32Array.of(2, 0x7ff00000, 1, 1, 0, 0), count: 2 })
  sink.append({ layout, indexes: Uint32Array.of(2), times: Float64Array.of(9), words: Uint32Array.of(5, 6), count: 1 })
  expect(head.stored).toEqual(['a 1 b 2@7=2,2146435072', 'a 2@7=1,1', `c ${'ü'.repeat(200)}@9=5,6`])
  expect(head.lookups).toBe(3)
})

test('reads label sets of more than 128 symbols', () => {
  const { head, sink } = makeSink()
  const wide = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`name${1000 + i}`, `value${i}`]))
  sink.append({ layout: layoutOf(wide), indexes: undefined, times: 1, words: Uint32Array.of(0, 0), count: 1 })
  expect(head.stored).toEqual([`${Object.entries(wide).flat().join(' ')}@1=0,0`])
})

test('asks again for refused series after half a minute, not at each scrape', () => {
  const { head, sink, clock, warnings } = makeSink()
  head.seriesMax = 1
  const layout = layoutOf({ a: '1' }, { a: '2' })
  const scrape = () => sink.append({ layout, indexes: undefined, times: clock.nowMs, words: new Uint32Array(4), count: 2 })
  scrape()
  expect(warnings).toEqual(['series of a scrape were refused {"refused":1,"samples":2,"reason":"the ceiling is reached"}'])
  head.seriesMax = 2
  clock.nowMs = 29_999
  scrape()
  expect(head.lookups).toBe(2)
  clock.nowMs = 30_000
  scrape()
  expect(head.stored.slice(-2)).toEqual(['a 1@30000=0,0', 'a 2@30000=0,0'])
  expect(warnings).toHaveLength(2)
})

test('says why samples were refused, and keeps nothing of a scrape that the log did not take', () => {
  const { head, sink, warnings } = makeSink()
  const batch = { layout: layoutOf({ a: '1' }), indexes: undefined, times: 1, words: new Uint32Array(2), count: 1 }
  head.appendResult = 2
  sink.append(batch)
  expect(warnings).toEqual(['samples of a scrape were refused {"refused":1,"samples":1,"reason":"out of order sample"}'])
  head.appendResult = 0
  head.commitError = new Error('no space left on device')
  sink.append(batch)
  expect(warnings[1]).toBe('cannot store a scrape {"samples":1,"err":"no space left on device"}')
  // Who guards the disk has told it.
  head.commitError = new DiskFullError('no room')
  sink.append(batch)
  expect(warnings).toHaveLength(2)
  head.commitError = undefined
  sink.append({ ...batch, times: 2 })
  expect(head.stored).toEqual(['a 1@2=0,0'])
})

test('appends native histograms and the ends of them, and says once why one is refused', () => {
  const { head, sink, warnings } = makeSink()
  const layout = layoutOf({ a: '1' }, { h: '1' }, { h: '2' }, { b: '1' })
  const stale = [8, 0, 0x19, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f]
  const bytes = Uint8Array.of(8, 1, 0x20, 2, ...stale)
  const histograms = { count: 2, positions: Uint32Array.of(1, 2), offsets: Uint32Array.of(0, 4, bytes.length), bytes }
  const words = Uint32Array.of(1, 1, 0, 0, 0, 0, 2, 2)
  sink.append({ layout, indexes: undefined, times: 7, words, count: 4, histograms })
  expect(head.stored).toEqual(['a 1@7=1,1', 'h 1@7=histogram of 1 at schema 1', 'h 2@7=stale', 'b 1@7=2,2'])
  expect(warnings).toEqual([])
  head.invalid = true
  for (const times of [8, 9])
    sink.append({
      layout,
      indexes: Uint32Array.of(1, 0),
      times,
      words: words.subarray(4),
      count: 2,
      histograms: { ...histograms, count: 1, positions: Uint32Array.of(0) },
    })
  expect(head.stored.slice(4)).toEqual(['a 1@8=2,2', 'a 1@9=2,2'])
  expect(warnings).toEqual(['native histograms of scrapes are not stored {"reason":"the ceiling is reached"}'])
})
