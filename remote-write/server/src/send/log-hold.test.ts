import { mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { segmentName } from '@narthex/tsdb/wal/wal-format'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findGiveUp, heldBytesMax, holdLimit, mayCutLog } from './log-hold.ts'
import { TestLog } from './log.test-writer.ts'

let directory: string
let log: TestLog

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-hold-'))
  log = new TestLog(directory, 3)
  for (let i = 0; i < 6; i++) {
    truncateSync(log.path, 1_000)
    log.nextSegment()
  }
  rmSync(log.path)
})

afterEach(() => rmSync(directory, { recursive: true }))

test('a checkpoint waits for the remote that needs its last segment', () => {
  // Segments 3 to 8, and 9 begins: the checkpoint would stand for 3 to 6.
  expect(mayCutLog(log.directory, 9, -1, 6)).toBe(false)
  expect(mayCutLog(log.directory, 9, -1, 7)).toBe(true)
  expect(mayCutLog(log.directory, 9, -1, Infinity)).toBe(true)
})

test('a checkpoint of settled segments waits for the remote that needs the last of them', () => {
  expect(mayCutLog(log.directory, 9, 7, 7)).toBe(false)
  expect(mayCutLog(log.directory, 9, 7, 8)).toBe(true)
  // Fewer than the lower two thirds are settled.
  expect(mayCutLog(log.directory, 9, 4, 6)).toBe(false)
  expect(mayCutLog(log.directory, 9, 4, 7)).toBe(true)
})

test('a log of one segment may begin another', () => {
  for (let segment = 4; segment <= 8; segment++) rmSync(join(log.directory, segmentName(segment)))
  expect(mayCutLog(log.directory, 4, -1, 3)).toBe(true)
  // Unless that one is settled, and needed.
  expect(mayCutLog(log.directory, 4, 3, 3)).toBe(false)
})

test('a log beyond its limit gives up the older half of it, if a remote still needs that', () => {
  expect(findGiveUp(directory, 3, 6_000)).toBeUndefined()
  // 8, 7 and 6 are more than half of 5,999 bytes.
  expect(findGiveUp(directory, 3, 5_999)).toBe(7)
  expect(findGiveUp(directory, 6, 5_999)).toBe(7)
  expect(findGiveUp(directory, 7, 5_999)).toBeUndefined()
  expect(findGiveUp(directory, Infinity, 5_999)).toBeUndefined()
})

test('the segment that is written is never given up', () => {
  truncateSync(join(log.directory, segmentName(8)), 10_000)
  expect(findGiveUp(directory, 3, 5_000)).toBeUndefined()
})

test('the limit is a quarter of the retention by size, and no more than its bound', () => {
  expect(holdLimit(0)).toBe(heldBytesMax)
  expect(holdLimit(1_000)).toBe(250)
  expect(holdLimit(100 * heldBytesMax)).toBe(heldBytesMax)
})
