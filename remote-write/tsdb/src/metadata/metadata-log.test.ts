import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { silentLogger } from '@narthex/service/logger'
import { testThread } from '../compact/compactor.test-thread.ts'
import { openStore } from '../open-store.ts'
import type { Store, StoreOptions } from '../store.ts'
import { listLog } from '../wal/log-files.ts'
import { readRecord } from '../wal/read-record.ts'
import { RecordEntries } from '../wal/record-entries.ts'
import { SegmentReader } from '../wal/segment-reader.ts'
import { readMetadata } from '../wal/text-payload.ts'
import { metadataRecord } from '../wal/wal-format.ts'
import { familyOfSeries, seriesNamesOf } from './family-names.ts'

let directory = ''
let store: Store

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-metadata-'))
  open()
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

function open(options: Partial<StoreOptions> = {}): void {
  const base = { directory, chunkRangeMs: 10_000, maxBlockRangeMs: 30_000, memoryBytesMax: 64 * 2 ** 20, thread: testThread }
  // What is tested here is in the log.
  store = openStore({ ...base, now: () => 1e9, logsMetadata: true, keepsHeadState: false, log: silentLogger, ...options })
}

async function reopen(options: Partial<StoreOptions> = {}): Promise<void> {
  await store.close()
  open(options)
}

function sample(name: string, timeMs = 1000): number {
  const ref = store.head.refByLabels(Labels.from({ __name__: name, a: '1' }))
  expect(store.head.append(ref, timeMs, 0, 0)).toBe(0)
  return ref
}

function commit(): void {
  store.head.commit()
  store.metadata.commit()
}

/** Of the log's segments, `reference type unit help`. */
function logged(): string[] {
  const found: string[] = []
  const entries = new RecordEntries()
  const { segmentsOfCheckpoint, segments } = listLog(join(directory, 'wal'))
  for (const { path } of [...segmentsOfCheckpoint, ...segments]) {
    const segment = new SegmentReader(path)
    for (let record = segment.next(); record !== undefined; record = segment.next()) {
      if (readRecord(record, entries) !== metadataRecord) continue
      for (let i = 0; i < entries.length; i++) {
        const { type, unit, help } = readMetadata(record, entries.starts[i]!, entries.ends[i]!)
        found.push(`${entries.refs[i]} ${type} ${unit} ${help}`)
      }
    }
    segment.close()
  }
  return found
}

const known = (): unknown => Object.fromEntries(store.head.metadata.entries())

test('metadata of series are logged when they are new or have changed, and are known after a start', async () => {
  const { metadata } = store
  const ref = sample('requests_total')
  const number = metadata.numberOf('counter', '', 'Requests.')
  metadata.noteSeries(ref, number)
  metadata.noteSeries(ref, number)
  commit()
  metadata.noteSeries(ref, metadata.numberOf('counter', '', 'Requests.'))
  commit()
  expect(logged()).toEqual(['1 counter  Requests.'])
  metadata.noteSeries(ref, metadata.numberOf('counter', 's', 'Otherwise.'))
  metadata.noteSeries(sample('latency_bucket'), metadata.numberOf('histogram', 's', 'Latency.'))
  commit()
  await reopen()
  expect(known()).toEqual({
    requests_total: { type: 'counter', unit: 's', help: 'Otherwise.' },
    latency: { type: 'histogram', unit: 's', help: 'Latency.' },
  })
  // Known to be in the log.
  store.metadata.noteSeries(1, store.metadata.numberOf('counter', 's', 'Otherwise.'))
  store.metadata.noteSeries(2, store.metadata.numberOf('histogram', 's', 'Latency.'))
  commit()
  expect(logged()).toHaveLength(3)
})

test('of a family whose first series came in the same request they are in the log with it', () => {
  sample('latency_count')
  store.metadata.noteFamily('latency', 'histogram', '', 'Latency.')
  commit()
  expect(logged()).toEqual(['1 histogram  Latency.'])
})

test('of a family one series has them, as soon as there is one, and another when that has gone', async () => {
  const note = (help = 'Latency.') => store.metadata.noteFamily('latency', 'histogram', '', help)
  note()
  commit()
  expect(logged()).toEqual([])
  sample('latency_count')
  note()
  commit()
  note()
  commit()
  expect(logged()).toEqual(['1 histogram  Latency.'])
  note('Changed.')
  commit()
  expect(logged()).toHaveLength(2)
  await reopen()
  expect(known()).toEqual({ latency: { type: 'histogram', unit: '', help: 'Changed.' } })
  note('Changed.')
  commit()
  expect(logged()).toHaveLength(2)
  for (let second = 2; second < 20; second++) {
    sample('latency_sum', second * 1000)
    commit()
  }
  await store.compactor.run()
  expect(store.head.seriesCount).toBe(1)
  note('Changed.')
  commit()
  expect(logged().at(-1)).toBe('2 histogram  Changed.')
})

test('a place that is used again has no metadata of the series before', async () => {
  const number = store.metadata.numberOf('gauge', '', 'Same.')
  const first = sample('first')
  store.metadata.noteSeries(first, number)
  for (let second = 0; second < 17; second++) {
    sample('other', second * 1000)
    commit()
  }
  await store.compactor.run()
  const second = sample('second', 16_000)
  expect(second).toBe(first)
  store.metadata.noteSeries(second, number)
  commit()
  await reopen()
  expect(known()).toMatchObject({ second: { help: 'Same.' } })
})

test('what was rolled back or not written is logged when it comes again', async () => {
  const ref = sample('m')
  const number = store.metadata.numberOf('gauge', '', 'M.')
  store.metadata.noteSeries(ref, number)
  store.metadata.rollback()
  commit()
  expect(logged()).toEqual([])
  store.metadata.noteSeries(ref, number)
  commit()
  expect(logged()).toEqual(['1 gauge  M.'])
  await store.wal.close()
  store.metadata.noteSeries(ref, store.metadata.numberOf('gauge', '', 'N.'))
  expect(() => store.metadata.commit()).toThrow('it is closed')
})

test('without the feature nothing is logged, and what a log has is read', async () => {
  store.metadata.noteSeries(sample('m'), store.metadata.numberOf('info', '', 'M.'))
  commit()
  await reopen({ logsMetadata: false })
  expect(store.metadata.isOn).toBe(false)
  expect(known()).toEqual({ m: { type: 'info', unit: '', help: 'M.' } })
  store.metadata.noteSeries(1, store.metadata.numberOf('info', '', 'Other.'))
  store.metadata.noteFamily('m', 'info', '', 'Other.')
  commit()
  expect(logged()).toHaveLength(1)
})

test('series are named after their family by its type', () => {
  expect(familyOfSeries('a_bucket', 'histogram')).toBe('a')
  expect(familyOfSeries('a_bucket', 'gauge')).toBe('a_bucket')
  expect(familyOfSeries('a_gsum', 'gaugehistogram')).toBe('a')
  expect(seriesNamesOf('a', 'summary')).toEqual(['a', 'a_sum', 'a_count'])
  expect(seriesNamesOf('a', 'counter')).toEqual(['a', 'a_total'])
})
