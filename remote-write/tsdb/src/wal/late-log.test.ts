import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { silentLogger } from '@narthex/service/logger'
import { HeadReader } from '../select/head-reader.ts'
import { openStore } from '../open-store.ts'
import type { Store } from '../store.ts'
import { LateLog } from './late-log.ts'
import { readSegment } from './read-segments.ts'
import { RecordBuilder } from './record-builder.ts'
import { RecordEntries } from './record-entries.ts'
import { exemplarsRecord, samplesRecord } from './wal-format.ts'
import { WalWriter } from './wal-writer.ts'
import { WblWriter } from './wbl.ts'

let directory = ''
let store: Store

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-late-log-'))
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

function open(): void {
  store = openStore({ directory, memoryBytesMax: 64 * 2 ** 20, outOfOrderWindowMs: 1e9, retentionMs: 0, now: () => 1e9, log: silentLogger })
}

function put(name: string, ...times: number[]): void {
  const ref = store.head.refByLabels(Labels.from({ __name__: name }))
  for (const time of times) expect(store.head.append(ref, time, 0, 0x3ff00000)).toBe(0)
  store.head.commit()
}

function times(name: string): number[] {
  const set = new HeadReader(store.head.descriptor()).select([new Matcher('=', '__name__', name)], -Infinity, Infinity)
  const columns = new SampleColumns()
  if (set.next()) set.samples(columns)
  return Array.from(columns.times.subarray(0, columns.length))
}

function wbl(): string {
  return join(directory, 'wbl')
}

it('is not there before the first late sample', () => {
  open()
  put('a', 1000, 2000)
  expect(existsSync(wbl())).toBe(false)
  put('a', 1500)
  expect(readdirSync(wbl())).toEqual(['00000000'])
})

it('has late samples, and the log has all, for who follows it', async () => {
  open()
  put('a', 1000, 2000, 1500)
  put('a', 3000, 2500)
  await store.close()
  const read = (path: string): number[] => {
    const found: number[] = []
    readSegment(path, true, new RecordEntries(), (type, _record, { times: each, length }) => {
      if (type === samplesRecord) found.push(...each.subarray(0, length))
    })
    return found
  }
  expect(read(join(directory, 'wal', '00000000'))).toEqual([1000, 2000, 1500, 3000, 2500])
  expect(read(join(wbl(), '00000000'))).toEqual([1500, 2500])
})

it('loses a torn end, and goes on', async () => {
  open()
  put('a', 1000, 2000, 1500)
  put('a', 1600)
  await store.close()
  const path = join(wbl(), '00000000')
  truncateSync(path, statSync(path).size - 3)
  open()
  expect(times('a')).toEqual([1000, 1500, 2000])
  put('a', 1600)
  await store.close()
  open()
  expect(times('a')).toEqual([1000, 1500, 1600, 2000])
})

it('has references that are not given out again, though the log does not know them', async () => {
  open()
  put('a', 1000)
  await store.close()
  mkdirSync(wbl())
  const writer = new WblWriter({ directory: wbl(), firstSegment: 0, compresses: false })
  writer.addSample(99, 500, 0, 0)
  writer.commit()
  await writer.close()
  open()
  put('b', 1000)
  expect(store.wal.references.highest).toBe(100)
  await store.close()
  open()
  expect(times('b')).toEqual([1000])
})

it('of another program is not cut down when it has records that are not read', async () => {
  open()
  put('a', 1000, 2000, 1500)
  await store.close()
  const builder = new RecordBuilder()
  builder.begin(exemplarsRecord)
  builder.addExemplar(1, 1200, 0, 0, [])
  const other = new WalWriter({ directory: wbl(), firstSegment: 1, compresses: false })
  other.writeRecords([builder.view()])
  await other.close()
  open()
  expect(times('a')).toEqual([1000, 1500, 2000])
  // Seven hours later: the head is cut, and with it the late sample.
  for (let time = 3000; time < 25_200_000; time += 60_000) put('a', time)
  await store.compactor.run()
  expect(store.blocks.blocks.length).toBeGreaterThan(0)
  expect(readdirSync(wbl())).toEqual(expect.arrayContaining(['00000000', '00000001']))
})

it('takes nothing of a commit that it cannot write, and all of it the next time', () => {
  open()
  put('a', 1000, 2000)
  let isFull = true
  const late = new LateLog({
    wal: store.wal,
    directory: wbl(),
    nextSegment: 0,
    hasUnread: false,
    compresses: false,
    refusal: () => (isFull ? 'no room' : undefined),
  })
  store.head.startLogging(late)
  const ref = store.head.refByLabels(Labels.from({ __name__: 'a' }))
  store.head.append(ref, 3000, 0, 0x3ff00000)
  store.head.append(ref, 1500, 0, 0x3ff00000)
  expect(() => store.head.commit()).toThrow('no room')
  expect(times('a')).toEqual([1000, 2000])
  isFull = false
  put('a', 3000, 1500)
  expect(times('a')).toEqual([1000, 1500, 2000, 3000])
  return late.close()
})
