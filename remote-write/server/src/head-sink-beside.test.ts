import { LayoutBuilder } from '@narthex/agent/store/layout-builder'
import { Labels } from '@narthex/model/labels'
import { ExemplarStorage } from '@narthex/tsdb/exemplars/exemplar-storage'
import { Head } from '@narthex/tsdb/head/head'
import { MetadataLog } from '@narthex/tsdb/metadata/metadata-log'
import { beforeEach, expect, test } from 'vitest'
import { HeadSink } from './head-sink.ts'

let head: Head
let exemplars: ExemplarStorage
let records: number[]
let metadata: MetadataLog
let sink: HeadSink

const log = {
  references: { of: (ref: number) => ref },
  writeRecords: (all: Iterable<Uint8Array>) => void records.push(...[...all].map(([type]) => type!)),
}

beforeEach(() => {
  records = []
  head = new Head({ memoryBytesMax: 2 ** 26, now: () => 1e9 })
  exemplars = new ExemplarStorage(head, 10)
  exemplars.startLogging(log)
  metadata = new MetadataLog(head)
  metadata.startLogging(log)
  sink = new HeadSink(head, { warn: (message) => expect.fail(message) }, () => 0, { exemplars, metadata })
})

const family = { name: 'm', type: 'counter', help: 'M.', unit: '' } as const
// ┌ length ┬ t ┬ length ┬ 1 ┐
const labels = Uint8Array.of(1, 0x74, 1, 0x31)

function layoutOf(...names: string[]) {
  const builder = new LayoutBuilder()
  for (const name of names) builder.addSeries(Labels.from({ __name__: name }), name === 'plain' ? undefined : family)
  return builder.build(1)
}

function owners(): string[] {
  const { count, owners: of, times, series } = exemplars.ring.snapshot()
  return Array.from({ length: count }, (_, i) => {
    const start = series.starts[of[i]!]! + 11
    const name = Buffer.from(series.bytes.slice(start, series.starts[of[i]!]! + series.lengths[of[i]!]!)).toString()
    return `${name}@${times[i]}`
  })
}

test('exemplars of a scrape go to the series of their sample', () => {
  const column = (position: number) => ({
    count: 1,
    positions: Uint32Array.of(position),
    words: Uint32Array.of(0, 0),
    times: Float64Array.of(500 + position),
    offsets: Uint32Array.of(0, 4),
    bytes: labels,
  })
  const layout = layoutOf('a', 'b', 'c')
  sink.append({ layout, indexes: undefined, times: 1000, words: new Uint32Array(6), count: 3, exemplars: column(1) })
  // Sample 0 is that of series c.
  sink.append({ layout, indexes: Uint32Array.of(2), times: 2000, words: new Uint32Array(2), count: 1, exemplars: column(0) })
  expect(owners()).toEqual(['b@501', 'c@500'])
  expect(records.filter((type) => type === 4)).toHaveLength(2)
})

test('metadata of series are noted when a layout is new, and for the API by family', () => {
  const layout = layoutOf('m', 'plain')
  const batch = { layout, indexes: undefined, words: new Uint32Array(4), count: 2 }
  sink.append({ ...batch, times: 1000 })
  sink.append({ ...batch, times: 2000 })
  expect(records).toEqual([6])
  expect([...head.metadata.entries()]).toEqual([['m', { type: 'counter', help: 'M.', unit: '' }]])
  // Another layout with the same series has nothing new.
  sink.append({ ...batch, layout: layoutOf('m', 'plain'), times: 3000 })
  expect(records).toEqual([6])
})
