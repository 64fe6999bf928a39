import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkpointFiles } from './checkpoint-files.ts'
import type { CheckpointFile, CheckpointFiles } from './checkpoint-files.ts'
import { createCheckpoint, removeCovered } from './checkpoint.ts'
import type { CheckpointOptions, CheckpointResult } from './checkpoint.ts'
import { listLog } from './log-files.ts'
import { readRecord } from './read-record.ts'
import { RecordBuilder } from './record-builder.ts'
import { RecordEntries } from './record-entries.ts'
import { SegmentReader } from './segment-reader.ts'
import { histogramOf } from './wal.test-histograms.ts'
import { readLabels, readMetadata } from './text-payload.ts'
import { segmentName } from './wal-format.ts'
import { WalWriter } from './wal-writer.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-checkpoint-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const seriesCount = 40
const minTimeMs = 5_000

/** Segments 0 to `segments - 1` with a record of each type at times 1000 × segment, then the active one. Series 1 ends early. */
async function writeLog(segments: number, firstSegment = 0): Promise<void> {
  const writer = new WalWriter({ directory, firstSegment, compresses: true })
  const builder = new RecordBuilder()
  const put = (type: number, add: () => void): void => {
    builder.begin(type)
    add()
    writer.writeRecords([builder.view()])
  }
  for (let segment = firstSegment; segment < firstSegment + segments; segment++) {
    const timeMs = segment * 1000
    if (segment === 0) {
      put(1, () => {
        for (let ref = 1; ref <= seriesCount; ref++) builder.addSeries(ref, ['__name__', 'm', 'i', String(ref)])
      })
    }
    put(2, () => {
      for (let ref = segment < 2 ? 1 : 2; ref <= seriesCount; ref++) builder.addSample(ref, timeMs + ref, ref, 0x7ff00000)
    })
    put(7, () => builder.addHistogram(3, timeMs, histogramOf(false)))
    put(11, () => builder.addSample(4, timeMs, 1, 2, timeMs - 500))
    put(4, () => builder.addExemplar(5, timeMs, 7, 8, ['trace', String(segment)]))
    put(3, () => builder.addTombstone(6, -Infinity, timeMs))
    put(6, () => builder.addMetadata(7, { type: 'gauge', unit: 's', help: `of ${segment}` }))
    put(200, () => {})
    if (segment < firstSegment + segments - 1) writer.nextSegment()
  }
  await writer.close()
}

/** Everything in the log, one line for each entry that a checkpoint of this time and these series must keep. */
function readLog(): string[] {
  const { segmentsOfCheckpoint, segments } = listLog(directory)
  const entries = new RecordEntries()
  const lines: string[] = []
  for (const { path } of [...segmentsOfCheckpoint, ...segments]) {
    const segment = new SegmentReader(path)
    for (let record = segment.next(); record !== undefined; record = segment.next()) {
      const type = readRecord(record, entries)
      for (let i = 0; i < entries.length; i++) {
        const ref = entries.refs[i]!
        const isOld = (type === 3 ? entries.secondTimes[i]! : entries.times[i]!) < minTimeMs
        const payload = [record, entries.starts[i]!, entries.ends[i]!] as const
        const bytes = Buffer.from(record.subarray(payload[1], payload[2])).toString('hex')
        if (ref === 1 || (isOld && type !== 1 && type !== 6)) continue
        if (type === 1) lines.push(`series ${ref} ${readLabels(...payload).join()}`)
        if (type === 2 || type === 11)
          lines.push(
            `sample ${type} ${ref} ${entries.times[i]} ${entries.secondTimes[i]} ${entries.words[2 * i]} ${entries.words[2 * i + 1]}`,
          )
        if (type === 7) lines.push(`histogram ${ref} ${entries.times[i]} ${bytes}`)
        if (type === 4) lines.push(`exemplar ${ref} ${entries.times[i]} ${entries.words[2 * i]} ${bytes}`)
        if (type === 3) lines.push(`tombstone ${ref} ${entries.times[i]} ${entries.secondTimes[i]}`)
        if (type === 6) lines.push(`metadata ${ref} ${readMetadata(...payload).help}`)
      }
    }
    segment.close()
  }
  const lastMetadata = lines.findLast((line) => line.startsWith('metadata'))
  return [...new Set(lines.filter((line) => !line.startsWith('metadata') || line === lastMetadata))].sort()
}

function checkpoint(activeSegment: number, options: Partial<CheckpointOptions> = {}): Promise<CheckpointResult | undefined> {
  return createCheckpoint({ directory, activeSegment, keeps: (ref) => ref !== 1, minTimeMs, compresses: true, ...options })
}

describe('a checkpoint', () => {
  it('keeps what is needed of the lower two thirds and removes these segments', async () => {
    await writeLog(10)
    const before = readLog()
    const result = await checkpoint(9)
    // 9 finished segments: 0 + (8 - 0) × 2/3.
    expect(result).toMatchObject({ lastSegment: 5, segments: 6, seriesKept: seriesCount - 1, seriesDropped: 1, recordsUnknown: 6 })
    expect(readdirSync(directory).sort()).toEqual([...[6, 7, 8, 9].map(segmentName), 'checkpoint.00000005'])
    expect(readLog()).toEqual(before)
    // Of segment 5: samples of series 2 to 40, and one of each other type.
    expect(result!.entriesKept).toBe(seriesCount - 1 + 4)
  })

  it('of a checkpoint and later segments replaces both', async () => {
    await writeLog(10)
    const before = readLog()
    await checkpoint(9)
    await writeLog(5, 10)
    const all = readLog()
    expect(all.length).toBeGreaterThan(before.length)
    expect(await checkpoint(14)).toMatchObject({ lastSegment: 10 })
    expect(readdirSync(directory).sort()).toEqual([...[11, 12, 13, 14].map(segmentName), 'checkpoint.00000010'])
    expect(readLog()).toEqual(all)
  })

  it.each([
    [0, 5],
    [5, 5],
    [6, 6],
    [8, 8],
    // The one that is written is never covered.
    [9, 8],
  ])('stands for all settled segments: if %i is the last one, up to %i', async (settledSegment, lastSegment) => {
    await writeLog(10)
    const before = readLog()
    expect(await checkpoint(9, { settledSegment })).toMatchObject({ lastSegment })
    expect(readLog()).toEqual(before)
  })

  it('of a single settled segment is made', async () => {
    await writeLog(2)
    const before = readLog()
    expect(await checkpoint(1, { settledSegment: 0 })).toMatchObject({ lastSegment: 0, segments: 1 })
    expect(readdirSync(directory).sort()).toEqual([segmentName(1), 'checkpoint.00000000'])
    expect(readLog()).toEqual(before)
  })

  it.each([
    [1, false],
    [2, false],
    [3, false],
    [4, true],
  ])('of a log of %i segments is made: %s', async (segments, isMade) => {
    await writeLog(segments)
    const names = readdirSync(directory)
    expect((await checkpoint(segments - 1)) !== undefined).toBe(isMade)
    if (!isMade) expect(readdirSync(directory)).toEqual(names)
  })

  it('has segments of its own size', async () => {
    await writeLog(10)
    const before = readLog()
    await checkpoint(9, { minTimeMs: -Infinity, compresses: false, segmentBytes: 32 * 1024, keeps: () => true })
    expect(readLog()).toEqual(before)
    const large = new WalWriter({ directory, firstSegment: 10, compresses: false })
    const builder = new RecordBuilder()
    for (let round = 0; round < 900; round++) {
      builder.begin(2)
      for (let ref = 1; ref <= seriesCount; ref++) builder.addSample(ref, 100_000 + round, round, round)
      large.writeRecords([builder.view()])
      if (round % 300 === 299) large.nextSegment()
    }
    await large.close()
    const all = readLog()
    await checkpoint(large.segment, { segmentBytes: 32 * 1024, compresses: false })
    expect(listLog(directory).segmentsOfCheckpoint.length).toBeGreaterThan(2)
    expect(readLog()).toEqual(all)
  })

  it('keeps the mark of the references that were given out', async () => {
    await writeLog(10)
    await checkpoint(9, { keeps: (ref) => ref < 10 })
    const entries = new RecordEntries()
    const marks: number[] = []
    for (const { path } of listLog(directory).segmentsOfCheckpoint) {
      const segment = new SegmentReader(path)
      for (let record = segment.next(); record !== undefined; record = segment.next())
        if (readRecord(record, entries) === 128) marks.push(entries.refs[0]!)
      segment.close()
    }
    expect(marks).toEqual([seriesCount])
  })

  it('is not made of a damaged segment, and nothing is removed', async () => {
    await writeLog(10)
    const path = join(directory, segmentName(3))
    const bytes = readFileSync(path)
    bytes[20]! ^= 1
    writeFileSync(path, bytes)
    const names = readdirSync(directory)
    await expect(checkpoint(9)).rejects.toThrow(/cannot create checkpoint .*checkpoint\.00000005: .*00000003 at offset 0: .*checksum/)
    expect(readdirSync(directory)).toEqual(names)
  })

  it('gives way after each slice', async () => {
    await writeLog(10)
    let turns = 0
    const count = (): void => {
      turns++
      timer = setImmediate(count)
    }
    let timer = setImmediate(count)
    const result = await checkpoint(9, { sliceMs: 0 })
    clearImmediate(timer)
    expect(turns).toBeGreaterThan(6 * 8)
    expect(result!.longestSliceMs).toBeLessThan(1000)
  })
})

describe('a process that is killed in a checkpoint', () => {
  /** Operations after number `last` do nothing but fail, as after a SIGKILL. */
  function dieAfter(last: number): { files: CheckpointFiles; done: string[]; closeAll: () => Promise<void> } {
    const done: string[] = []
    const open = new Set<CheckpointFile>()
    const step = async <T>(name: string, operation: () => Promise<T>): Promise<T> => {
      if (done.length >= last) throw new Error('killed')
      done.push(name)
      return operation()
    }
    const files: CheckpointFiles = {
      makeDirectory: (path) => step('makeDirectory', () => checkpointFiles.makeDirectory(path)),
      create: (path) =>
        step('create', async () => {
          const file = await checkpointFiles.create(path)
          open.add(file)
          return {
            write: (bytes) => step('write', () => file.write(bytes)),
            sync: () => step('sync', () => file.sync()),
            close: () =>
              step('close', () => {
                open.delete(file)
                return file.close()
              }),
          }
        }),
      syncDirectory: (path) =>
        step(`syncDirectory ${path === directory ? 'wal' : 'checkpoint'}`, () => checkpointFiles.syncDirectory(path)),
      rename: (from, to) => step('rename', () => checkpointFiles.rename(from, to)),
      remove: (path) => step(`remove ${path.slice(directory.length + 1)}`, () => checkpointFiles.remove(path)),
    }
    const closeAll = async (): Promise<void> => {
      for (const file of open) await file.close()
    }
    return { files, done, closeAll }
  }

  it('loses nothing between any two steps, and the next checkpoint cleans up', async () => {
    for (let steps = 0; ; steps++) {
      rmSync(directory, { recursive: true })
      directory = mkdtempSync(join(tmpdir(), 'narthex-checkpoint-'))
      await writeLog(10)
      await checkpoint(9)
      await writeLog(6, 10)
      const before = readLog()
      const { files, done, closeAll } = dieAfter(steps)
      const isDone = await checkpoint(15, { files }).then(
        () => true,
        () => false,
      )
      await closeAll()
      expect(readLog(), `after ${done.join()}`).toEqual(before)
      const indexes = listLog(directory).segments.map(({ index }) => index)
      expect(indexes, `after ${done.join()}`).toEqual(indexes.map((_, i) => indexes[0]! + i))
      await removeCovered(directory)
      expect(readLog()).toEqual(before)
      await checkpoint(15)
      expect(readLog()).toEqual(before)
      expect(readdirSync(directory).filter((name) => name.startsWith('checkpoint'))).toHaveLength(1)
      if (!isDone) continue
      // The disk has the bytes before they get their name, and the name before anything goes.
      expect(done).toEqual([
        'makeDirectory',
        'create',
        'write',
        'sync',
        'close',
        'syncDirectory checkpoint',
        'rename',
        'syncDirectory wal',
        ...[6, 7, 8, 9, 10, 11].map((index) => `remove ${segmentName(index)}`),
        'remove checkpoint.00000005',
      ])
      return
    }
  })

  it('leaves nothing of an unfinished one after a failed write', async () => {
    await writeLog(10)
    const names = readdirSync(directory)
    const files: CheckpointFiles = {
      ...checkpointFiles,
      create: async (path) => ({ ...(await checkpointFiles.create(path)), write: () => Promise.reject(new Error('ENOSPC')) }),
    }
    await expect(checkpoint(9, { files })).rejects.toThrow(/ENOSPC/)
    expect(readdirSync(directory)).toEqual(names)
    expect(existsSync(join(directory, 'checkpoint.00000005.tmp'))).toBe(false)
  })
})
