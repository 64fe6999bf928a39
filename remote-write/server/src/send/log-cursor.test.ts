import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readRecord } from '@narthex/tsdb/wal/read-record'
import { RecordEntries } from '@narthex/tsdb/wal/record-entries'
import { samplesRecord, segmentName } from '@narthex/tsdb/wal/wal-format'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LogCursor } from './log-cursor.ts'
import type { LogPlace } from './log-place.ts'
import { TestLog, wordsOf } from './log.test-writer.ts'

let directory: string
let log: TestLog
let told: string[]
let nowMs: number

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-cursor-'))
  log = new TestLog(directory)
  told = []
  nowMs = 0
})

afterEach(() => rmSync(directory, { recursive: true }))

function open(place: LogPlace = { segment: 0, offset: 0 }): LogCursor {
  const events = {
    onDamage: ({ segment, offset }: LogPlace, bytes: number) => void told.push(`damage ${segment}:${offset} ${bytes}`),
    onGap: (from: number, to: number) => void told.push(`gap ${from} ${to}`),
  }
  return new LogCursor(log.directory, place, events, () => nowMs)
}

/** The times of the samples that are there. */
function read(cursor: LogCursor): number[] {
  const entries = new RecordEntries()
  const times: number[] = []
  for (let record = cursor.next(); record !== undefined; record = cursor.next()) {
    if (readRecord(record, entries) === samplesRecord) times.push(...entries.times.subarray(0, entries.length))
  }
  return times
}

test('gives records as they are written, and goes on in the next segment', () => {
  const cursor = open()
  expect(read(cursor)).toEqual([])
  log.samples([1, 10, 1])
  expect(read(cursor)).toEqual([10])
  log.samples([1, 20, 1])
  log.nextSegment()
  log.samples([1, 30, 1])
  expect(read(cursor)).toEqual([20, 30])
  expect(cursor.place).toEqual(log.end)
  expect(told).toEqual([])
})

test('begins at a place', () => {
  log.samples([1, 10, 1])
  const { end } = log
  log.samples([1, 20, 1])
  expect(read(open(end))).toEqual([20])
  expect(open(end).measureBehind()).toBe(log.end.offset - end.offset)
})

test('a record of many pages that is half written is no record yet', () => {
  const cursor = open()
  const bytes = log.encode(samplesRecord, (builder) => {
    for (let i = 0; i < 20_000; i++) builder.addSample(i, i, ...wordsOf(Math.random()))
  })
  for (const cut of [3, 20_000, 32_768, 32_770, bytes.length - 1]) {
    appendFileSync(log.path, bytes.subarray(log.end.offset, cut))
    expect(read(cursor)).toEqual([])
    expect(cursor.place.offset).toBe(0)
  }
  appendFileSync(log.path, bytes.subarray(bytes.length - 1))
  expect(read(cursor)).toHaveLength(20_000)
  expect(told).toEqual([])
})

test('a damaged record ends its segment, if a later one is there, and is told with its bytes', () => {
  log.samples([1, 10, 1])
  const { end } = log
  log.samples([1, 20, 1])
  const bytes = readFileSync(log.path)
  bytes[end.offset + 9]! ^= 1
  writeFileSync(log.path, bytes)
  const cursor = open()
  expect(read(cursor)).toEqual([10])
  expect(told).toEqual([])
  log.nextSegment()
  log.samples([1, 30, 1])
  expect(read(cursor)).toEqual([30])
  expect(told).toEqual([`damage 0:${end.offset} ${bytes.length - end.offset}`])
})

test('segments that were removed before they were read are told', () => {
  log.samples([1, 10, 1])
  const cursor = open()
  expect(read(cursor)).toEqual([10])
  for (let i = 0; i < 3; i++) {
    log.nextSegment()
    log.samples([1, 20 + i, 1])
  }
  for (const segment of [1, 2]) rmSync(join(log.directory, segmentName(segment)))
  nowMs += 1_000
  expect(read(cursor)).toEqual([22])
  expect(told).toEqual(['gap 1 3'])
  told = []
  expect(read(open())).toEqual([10, 22])
  rmSync(join(log.directory, segmentName(0)))
  told = []
  expect(read(open())).toEqual([22])
  expect(told).toEqual(['gap 0 3'])
})

test('what the writer took back is passed over, and what it wrote in its place is read', () => {
  log.samples([1, 10, 1])
  const { end } = log
  const cursor = open()
  log.samples([1, 20, 1])
  expect(read(cursor)).toEqual([10, 20])
  log.takeBack(end)
  expect(read(cursor)).toEqual([])
  log.samples([1, 30, 1])
  expect(read(cursor)).toEqual([30])
  expect(told).toEqual([])
})

test('a longer record in the place of one that was taken back unseen is found after five seconds', () => {
  log.samples([1, 10, 1])
  const { end } = log
  const cursor = open()
  log.samples([1, 20, 1])
  expect(read(cursor)).toEqual([10, 20])
  log.takeBack(end)
  log.samples([1, 30, 1], [2, 31, 1], [3, 32, 1.5])
  expect(read(cursor)).toEqual([])
  nowMs += 5_000
  expect(read(cursor)).toEqual([])
  nowMs += 1
  read(cursor)
  expect(read(cursor)).toEqual([30, 31, 32])
})
