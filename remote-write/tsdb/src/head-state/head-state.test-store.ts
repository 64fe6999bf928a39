// What the tests of the head's state do to a store, and how they look at it.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import type { NativeHistogram } from '@narthex/model/native-histogram'
import { SampleColumns } from '@narthex/model/sample-columns'
import { createLogger } from '@narthex/service/logger'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { testThread } from '../compact/compactor.test-thread.ts'
import type { Head } from '../head/head.ts'
import { openStore } from '../open-store.ts'
import { BlockShelf } from '../select/block-shelf.ts'
import { HeadReader } from '../select/head-reader.ts'
import { MergedQueryable } from '../select/merged-queryable.ts'
import type { Store, StoreOptions } from '../store.ts'
import { headStateDirectoryName } from './head-state-file.ts'

export const rangeMs = 10_000
export const takenText = "The head's state is taken over"

/** A store of the tests; `lines` gets what it logs. */
export function open(directory: string, options: Partial<StoreOptions> = {}, lines: string[] = []): Store {
  return openStore({
    directory,
    chunkRangeMs: rangeMs,
    maxBlockRangeMs: 3 * rangeMs,
    memoryBytesMax: 64 * 2 ** 20,
    outOfOrderWindowMs: 4000,
    exemplarsMax: 20,
    logsMetadata: true,
    now: () => 1e9,
    thread: testThread,
    log: createLogger({ write: (line) => void lines.push(line) }),
    ...options,
  })
}

/** Whether the state was taken over, as a test of that it was or was not. */
export function openBy(way: 'state' | 'logs', directory: string, options: Partial<StoreOptions> = {}): Store {
  if (way === 'logs') rmSync(statePath(directory), { force: true })
  const lines: string[] = []
  const store = open(directory, options, lines)
  const isTaken = lines.join('').includes(takenText)
  if (isTaken !== (way === 'state')) throw new Error(`want a start by the ${way}, got ${lines.join('')}`)
  return store
}

export function statePath(directory: string): string {
  return join(directory, headStateDirectoryName, 'state')
}

type SampleKind = 'floats' | 'histograms' | 'late' | 'late-histograms'

interface SampleOperation {
  readonly kind: SampleKind
  readonly series: number
  readonly count: number
  readonly value: number
}

export type Operation =
  | SampleOperation
  | { readonly kind: 'delete'; readonly series: number; readonly spanMs: number }
  | { readonly kind: 'exemplar' | 'metadata' | 'refused'; readonly series: number; readonly value: number }
  | { readonly kind: 'compact' }

const value = new Float64Array(1)
const words = new Uint32Array(value.buffer)

function labelsOf(series: number): Labels {
  return Labels.from({ __name__: `m${series % 3}`, series: String(series), own: `text ${series * 977}` })
}

/** Applies operations to a store whose newest time is `clock.nowMs`; gives what each was answered. */
export async function apply(store: Store, operations: readonly Operation[], clock: { nowMs: number }): Promise<unknown[]> {
  const answers: unknown[] = []
  for (const operation of operations) answers.push(await applyOne(store, operation, clock))
  return answers
}

async function applyOne(store: Store, operation: Operation, clock: { nowMs: number }): Promise<unknown> {
  const { head } = store
  if (operation.kind === 'compact') {
    await store.compactor.run()
    return store.blocks.blocks.map(({ meta: { minTime, maxTime, stats } }) => [minTime, maxTime, stats?.numSamples, stats?.numSeries])
  }
  if (operation.kind === 'delete') {
    const matcher = new Matcher('=', 'series', String(operation.series))
    return store.admin.deleteSeries([[matcher]], clock.nowMs - operation.spanMs, clock.nowMs)
  }
  const ref = head.refByLabels(labelsOf(operation.series))
  if (operation.kind === 'exemplar' || operation.kind === 'metadata') clock.nowMs += 10
  if (operation.kind === 'exemplar') {
    value[0] = operation.value
    const results = [head.append(ref, clock.nowMs, 0, 0)]
    results.push(store.exemplars.append(ref, clock.nowMs, words[0]!, words[1]!, Labels.from({ trace: String(operation.value) })))
    head.commit()
    store.exemplars.commit()
    return results
  }
  if (operation.kind === 'metadata') {
    const help = `Help ${operation.value}.`
    head.appendMetadata(`m${operation.series % 3}`, 'gauge', help, '')
    store.metadata.noteSeries(ref, store.metadata.numberOf('gauge', '', help))
    const result = head.append(ref, clock.nowMs, 0, 0)
    head.commit()
    store.metadata.commit()
    return result
  }
  if (operation.kind === 'refused') {
    // A series that gets nothing, and a batch that is given up.
    value[0] = operation.value
    const results = [head.append(ref, clock.nowMs + 1, words[0]!, words[1]!), head.append(ref, -1e12, 0, 0)]
    head.rollback()
    return results
  }
  return applySamples(head, ref, operation as SampleOperation, clock)
}

function applySamples(head: Head, ref: number, operation: SampleOperation, clock: { nowMs: number }): number[] {
  const { kind } = operation
  const results: number[] = []
  for (let i = 0; i < operation.count; i++) {
    const isLate = kind === 'late' || kind === 'late-histograms'
    if (!isLate) clock.nowMs += 1 + (operation.value % 7) * 30
    const timeMs = isLate ? clock.nowMs - 37 * (i + 1) : clock.nowMs
    value[0] = operation.value + i
    if (kind.endsWith('histograms')) results.push(head.appendHistogram(ref, timeMs, histogramOf(operation.value + i)))
    else results.push(head.append(ref, timeMs, words[0]!, words[1]!))
    if (i % 3 === 2) head.commit()
  }
  head.commit()
  return results
}

export function histogramOf(count: number): NativeHistogram {
  return {
    schema: 1,
    isFloat: count % 5 === 0,
    count: 1 + 3 * count,
    sum: count / 2,
    zeroThreshold: 0.001,
    zeroCount: 1,
    positiveSpans: [{ offset: count % 3, length: 2 }],
    negativeSpans: [],
    positiveDeltas: count % 5 === 0 ? [] : [count, count],
    negativeDeltas: [],
    positiveCounts: count % 5 === 0 ? [count, 2 * count] : [],
    negativeCounts: [],
    customValues: [],
    isGauge: false,
  }
}

/** All that a store has, by its readers; what has no sample is not there. */
export function contentsOf(store: Store): Record<string, unknown> {
  const descriptor = store.head.descriptor()
  const head = new HeadReader(descriptor)
  head.deletions = store.head.deletions.view
  const shelf = new BlockShelf(2 ** 20, (path, reason) => {
    throw new Error(`${path}: ${reason}`)
  })
  shelf.list(store.blocks.shelf)
  const merged = new MergedQueryable([...shelf.queryables(), head])
  const found: Record<string, unknown> = {}
  // One by one, and by name, as each of these has postings of its own.
  const by = ['own', '__name__'].flatMap((name) => merged.labelValues(name, [], -Infinity, Infinity).map((text) => [name, text] as const))
  for (const [name, text] of by) {
    for (const set = merged.select([new Matcher('=', name, text)], -Infinity, Infinity); set.next();) {
      const floats = new SampleColumns()
      const histograms = new HistogramColumns()
      set.samples(floats)
      set.histograms?.(histograms)
      if (floats.length + histograms.length === 0) continue
      found[`${name} ${set.labels().toString()}`] = [
        Array.from({ length: floats.length }, (_, i) => `${floats.times[i]} ${floats.values[i]}`),
        Array.from({ length: histograms.length }, (_, i) => `${histograms.times[i]} ${histograms.counts[i]} ${histograms.sums[i]}`),
      ]
    }
  }
  head.close()
  store.head.releaseReader(descriptor)
  shelf.close()
  return found
}

export function exemplarsOf(store: Store): unknown {
  const { count, times, words: bits, owners, labels, series } = store.exemplars.ring.snapshot()
  const text = ({ bytes, starts, lengths }: typeof labels, i: number): string =>
    Buffer.from(bytes.slice(starts[i], starts[i]! + lengths[i]!)).toString()
  return Array.from({ length: count }, (_, i) => [times[i], bits[2 * i], bits[2 * i + 1], text(labels, i), text(series, owners[i]!)])
}

/** Metadata by metric name, for the API. */
export function metadataOf(store: Store): unknown {
  return Object.fromEntries(store.head.metadata.entries())
}
