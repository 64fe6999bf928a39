import { spawnSync } from 'node:child_process'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { BlockShelf } from '@narthex/tsdb/select/block-shelf'
import { HeadReader } from '@narthex/tsdb/select/head-reader'
import { MergedQueryable } from '@narthex/tsdb/select/merged-queryable'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import type { Store } from '@narthex/tsdb/store'

// Series whose every value follows from series and time, so that whatever is read can be judged without keeping it.

export const seriesCount = 20

export function labelsOf(series: number): Labels {
  return Labels.from({ __name__: 'm', i: String(series), of: series % 2 === 0 ? 'even' : 'odd' })
}

/** A value that does not compress. */
export function valueOf(series: number, timeMs: number): number {
  let mixed = Math.imul(timeMs + 1, 0x9e3779b1) ^ Math.imul(series + 1, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35)
  return ((mixed ^ (mixed >>> 13)) >>> 0) / 4096
}

const words = new Uint32Array(2)
const doubles = new Float64Array(words.buffer)

/** Commits a sample of every series; throws what the commit threw. */
export function commitAll(store: Store, refs: readonly number[], timeMs: number): void {
  for (const [series, ref] of refs.entries()) {
    doubles[0] = valueOf(series, timeMs)
    store.head.append(ref, timeMs, words[0]!, words[1]!)
  }
  store.head.commit()
}

export function createRefs(store: Store): number[] {
  return Array.from({ length: seriesCount }, (_, series) => store.head.refByLabels(labelsOf(series)))
}

/** Times by series; throws at a value that was never written. */
export type FoundTimes = ReadonlyMap<number, ReadonlySet<number>>

/** All that blocks and head have. `onBroken` hears of blocks that cannot be read. */
export function readAll(store: Store, onBroken: (directory: string, reason: string) => void): FoundTimes {
  const descriptor = store.head.descriptor()
  const shelf = new BlockShelf(2 ** 20, onBroken)
  try {
    shelf.list(store.blocks.shelf)
    return readTimes(new MergedQueryable([...shelf.queryables(), new HeadReader(descriptor)]))
  } finally {
    shelf.close()
    store.head.releaseReader(descriptor)
  }
}

export function readTimes(queryable: Queryable): FoundTimes {
  const found = new Map<number, Set<number>>()
  const columns = new SampleColumns()
  for (const set = queryable.select([new Matcher('=~', 'of', '.+')], -Infinity, Infinity); set.next();) {
    columns.clear()
    const series = seriesOf(set.labels())
    set.samples(columns)
    const times = new Set<number>()
    for (let i = 0; i < columns.length; i++) {
      const timeMs = columns.times[i]!
      if (columns.values[i] !== valueOf(series, timeMs))
        throw new Error(`a wrong value: ${columns.values[i]} of series ${series} at ${timeMs}`)
      if (times.has(timeMs)) throw new Error(`a sample twice: series ${series} at ${timeMs}`)
      times.add(timeMs)
    }
    if (found.has(series)) throw new Error(`series ${series} twice`)
    found.set(series, times)
  }
  return found
}

function seriesOf(labels: Labels): number {
  const series = Number(labels.get('i'))
  if (!(series >= 0 && series < seriesCount) || labels.key() !== labelsOf(series).key())
    throw new Error(`wrong labels: ${labels.toString()}`)
  return series
}

/** Samples that should be there and are not. */
export function countMissing(found: FoundTimes, timesMs: Iterable<number>): number {
  let missing = 0
  for (const timeMs of timesMs) {
    for (let series = 0; series < seriesCount; series++) if (found.get(series)?.has(timeMs) !== true) missing++
  }
  return missing
}

/** What `promtool tsdb dump` reads of a directory; throws what it says if it does not open it. */
export function dumpByPromtool(directory: string): FoundTimes {
  const { status, stdout, stderr } = spawnSync('promtool', ['tsdb', 'dump', directory], { encoding: 'utf8', maxBuffer: 2 ** 30 })
  if (status !== 0) throw new Error(`promtool does not read it: ${stderr.slice(-300)}`)
  const found = new Map<number, Set<number>>()
  for (const line of stdout.split('\n')) {
    const match = /i="(\d+)".*\} (\S+) (\d+)$/.exec(line)
    if (match === null) continue
    const [series, value, timeMs] = [Number(match[1]), Number(match[2]), Number(match[3])]
    if (value !== valueOf(series, timeMs)) throw new Error(`promtool reads a wrong value: ${line}`)
    let times = found.get(series)
    if (times === undefined) found.set(series, (times = new Set()))
    times.add(timeMs)
  }
  return found
}
