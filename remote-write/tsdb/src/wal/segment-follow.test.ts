import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RecordBuilder } from './record-builder.ts'
import { SegmentReader } from './segment-reader.ts'
import { CorruptionError, samplesRecord, seriesRecord } from './wal-format.ts'
import { WalWriter } from './wal-writer.ts'

let directory = ''
let path = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-follow-'))
  path = join(directory, '00000000')
})
afterEach(() => rmSync(directory, { recursive: true }))

/** A segment with a series record, one of so many samples, and a series record. */
async function write(compresses: boolean, samples: number): Promise<void> {
  const writer = new WalWriter({ directory, firstSegment: 0, compresses })
  const builder = new RecordBuilder()
  const put = (type: number, add: () => void): void => {
    builder.begin(type)
    add()
    writer.writeRecords([builder.view()])
  }
  put(seriesRecord, () => builder.addSeries(1, ['__name__', 'a'.repeat(100)]))
  put(samplesRecord, () => {
    for (let i = 0; i < samples; i++) builder.addSample(i, i, i, i)
  })
  put(seriesRecord, () => builder.addSeries(2, ['__name__', 'b']))
  await writer.close()
}

// 1, 2 and 3 bytes of length before the first literal or after its tag.
test.each([
  [false, 10],
  [true, 3],
  [true, 10],
  [true, 100],
  [true, 20_000],
])('records of another type come as their first byte (compressed: %s, %d samples)', async (compresses, samples) => {
  await write(compresses, samples)
  const reader = new SegmentReader(path)
  const records = [reader.next(seriesRecord)!.slice(), reader.next(seriesRecord)!.slice(), reader.next(seriesRecord)!.slice()]
  expect(records.map((record) => record[0])).toEqual([seriesRecord, samplesRecord, seriesRecord])
  expect(Buffer.from(records[0]!).toString()).toContain('a'.repeat(100))
  expect(Buffer.from(records[2]!).toString()).toContain('b')
  if (compresses && samples > 10) expect(records[1]).toHaveLength(1)
  expect(reader.next(seriesRecord)).toBeUndefined()
  reader.close()
})

test('a follower begins at a record, sees the file grow and tries an unfinished record again', async () => {
  await write(true, 20_000)
  const whole = readFileSync(path)
  const first = new SegmentReader(path)
  first.next()
  const start = first.offset
  first.close()
  writeFileSync(path, whole.subarray(0, start))
  const reader = new SegmentReader(path, start)
  expect(reader.next()).toBeUndefined()
  expect(reader.refresh()).toBe(false)
  appendFileSync(path, whole.subarray(start, start + 40_000))
  expect(reader.refresh()).toBe(true)
  expect(() => reader.next()).toThrow(CorruptionError)
  expect(reader.refresh()).toBe(false)
  expect(reader.offset).toBe(start)
  appendFileSync(path, whole.subarray(start + 40_000))
  expect(reader.refresh()).toBe(true)
  expect(reader.next()![0]).toBe(samplesRecord)
  expect(reader.next()![0]).toBe(seriesRecord)
  expect(reader.offset).toBe(whole.length)
  truncateSync(path, start)
  expect(reader.refresh()).toBe(false)
  expect(reader.size).toBe(start)
  reader.close()
})
