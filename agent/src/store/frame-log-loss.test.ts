import { appendFileSync, copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { settledRangesMax } from './cursor-file.ts'
import { createHeader, headerBytes, layoutFrame, putHeader, readHeader, sampleFrame } from './frame-header.ts'
import type { FrameLog } from './frame-log.ts'
import { LayoutBuilder } from './layout-builder.ts'
import { readSequences, TestLogs } from './testkit/open-log.ts'

let logs: TestLogs

beforeEach(() => {
  logs = new TestLogs({ cursorIntervalMs: 20, packAfterMs: Infinity })
})

afterEach(async () => {
  vi.useRealTimers()
  await logs.end()
})

/** The log's timers go on only by `pass`; files take the time they take. */
function holdTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

const builder = new LayoutBuilder()
for (let i = 0; i < 3; i++) builder.addPairs(['__name__', `m${i}`])
const layout = builder.build(1)

function append(log: FrameLog, count: number): void {
  for (let i = 0; i < count; i++)
    log.append({ layout, indexes: undefined, times: log.nextSequence, words: new Uint32Array(Float64Array.of(1, 2, 3).buffer), count: 3 })
}

/** A run of the agent per count, so a segment for each. */
async function writeSegments(...counts: number[]): Promise<string[]> {
  for (const count of counts) {
    const log = logs.open()
    append(log, count)
    await logs.close(log)
  }
  return segments()
}

const segments = (): string[] => logs.segmentNames().map((name) => join(logs.directory, name))

/** Where the frames of a kind begin. */
function framesOf(bytes: Uint8Array, kind: number): number[] {
  const header = createHeader()
  const starts: number[] = []
  for (let at = 0; readHeader(bytes, at, bytes.length, header); at += headerBytes + header.payloadBytes)
    if (header.kind === kind) starts.push(at)
  return starts
}

function setAge(path: string, ageMs: number): void {
  const seconds = (Date.now() - ageMs) / 1000
  utimesSync(path, seconds, seconds)
}

const hourMs = 3_600_000

describe('the age cap', () => {
  test('drops segments that were written longer ago, and counts what was not read of them', async () => {
    const paths = await writeSegments(4, 5, 6)
    setAge(paths[0]!, 2 * hourMs)
    setAge(paths[1]!, hourMs / 2)
    const log = logs.open({ ageMaxMs: hourMs })
    await expect.poll(() => log.segmentCount).toBe(2)
    expect(logs.losses).toEqual([['a', 'storage_age', 4, 12]])
    expect(segments()).toEqual(paths.slice(1))
    expect(await readSequences(log)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
  })

  test('counts nothing that was read, and never takes the newest segment', async () => {
    const paths = await writeSegments(4, 5)
    const log = logs.open({ ageMaxMs: hourMs, cursorIntervalMs: 100 })
    expect(await readSequences(log)).toHaveLength(9)
    await logs.close(log)
    for (const path of paths) setAge(path, 2 * hourMs)
    holdTimers()
    const again = logs.open({ ageMaxMs: hourMs })
    again.reader('a').skipTo(3)
    await pass(20)
    expect(again.segmentCount).toBe(1)
    expect(logs.losses).toEqual([['a', 'storage_age', 2, 6]])
    await pass(60)
    expect(again.segmentCount).toBe(1)
    vi.useRealTimers()
    expect(await readSequences(again)).toEqual([5, 6, 7, 8, 9])
  })

  test('goes by how long it was, not by a wall clock that was set', async () => {
    await writeSegments(4, 5)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
    const log = logs.open({ ageMaxMs: hourMs })
    append(log, 1)
    vi.setSystemTime(Date.now() + 24 * hourMs)
    await pass(60)
    expect(log.segmentCount).toBe(3)
    expect(logs.losses).toEqual([])
  })

  test('a file from the future is taken for new', async () => {
    const paths = await writeSegments(4, 5)
    setAge(paths[0]!, -24 * hourMs)
    holdTimers()
    const log = logs.open({ ageMaxMs: hourMs })
    await pass(60)
    expect(log.segmentCount).toBe(2)
  })
})

describe('samples that are lost', () => {
  test('with a segment that goes: damaged frames are told as damaged, the others by the reason', async () => {
    const paths = await writeSegments(10, 5)
    const bytes = readFileSync(paths[0]!)
    const frames = framesOf(bytes, sampleFrame)
    // One payload, and one header.
    bytes[frames[2]! + headerBytes]! ^= 1
    writeFileSync(paths[0]!, bytes)
    setAge(paths[0]!, 2 * hourMs)
    const log = logs.open({ ageMaxMs: hourMs })
    await expect.poll(() => log.segmentCount).toBe(1)
    expect(logs.losses).toEqual([
      ['a', 'damaged', 1, 3],
      ['a', 'storage_age', 9, 27],
    ])
  })

  test('with a segment that cannot be read any more', async () => {
    const paths = await writeSegments(10, 5)
    setAge(paths[0]!, 2 * hourMs)
    const log = logs.open({ ageMaxMs: hourMs })
    rmSync(paths[0]!)
    await expect.poll(() => log.segmentCount).toBe(1)
    expect(logs.losses).toEqual([['a', 'damaged', 10, undefined]])
    expect(await readSequences(log)).toEqual([11, 12, 13, 14, 15])
  })

  test('are told once, also when the log is read again', async () => {
    const paths = await writeSegments(10, 5)
    const bytes = readFileSync(paths[0]!)
    bytes[framesOf(bytes, sampleFrame)[2]! + headerBytes]! ^= 1
    writeFileSync(paths[0]!, bytes)
    const log = logs.open()
    const expected = [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    expect(await readSequences(log)).toEqual(expected)
    log.rewind('a')
    expect(await readSequences(log)).toEqual(expected)
    await logs.close(log)
    expect(await readSequences(logs.open())).toEqual(expected)
    expect(logs.losses).toEqual([['a', 'damaged', 1, 3]])
  })

  test('to a layout that passes its checksum and is none: its frames, and nothing else', async () => {
    const [path] = await writeSegments(3, 2)
    const bytes = readFileSync(path!)
    const header = createHeader()
    for (const at of framesOf(bytes, layoutFrame)) {
      readHeader(bytes, at, bytes.length, header)
      const end = at + headerBytes + header.payloadBytes
      bytes.fill(0xff, at + headerBytes, end)
      putHeader(bytes, at, end, header)
    }
    writeFileSync(path!, bytes)
    expect(await readSequences(logs.open())).toEqual([4, 5])
    expect(logs.losses).toEqual([['a', 'damaged', 3, 9]])
  })

  test('no frame in memory is skipped where the disk has nothing', async () => {
    await writeSegments(5)
    const log = logs.open()
    for (const path of segments()) rmSync(path)
    append(log, 3)
    expect(await readSequences(log)).toEqual([6, 7, 8])
    expect(logs.losses).toEqual([['a', 'damaged', 5, undefined]])
  })
})

describe('cursors', () => {
  test('are whole when the log is closed while they are stored', async () => {
    for (let round = 0; round < 20; round++) {
      const log = logs.open({ cursorIntervalMs: 1 })
      append(log, 20)
      for (let next = log.nextSequence - 20; next < log.nextSequence; next++) {
        log.acknowledge('a', next)
        if (next % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
      }
      log.acknowledge('a', log.nextSequence)
      await logs.close(log)
      const stored = JSON.parse(readFileSync(join(logs.directory, 'cursors', 'a.cursor'), 'utf8')) as { next: number }
      expect(stored.next).toBe(log.nextSequence)
    }
    expect(logs.problems).toEqual([])
    expect(readdirSync(join(logs.directory, 'cursors'))).toEqual(['a.cursor'])
  })

  test('get on in a run that does not last for an interval', async () => {
    holdTimers()
    const log = logs.open({ cursorIntervalMs: 1000 })
    append(log, 5)
    log.acknowledge('a', 4)
    await pass(999)
    await expect.poll(() => existsSync(join(logs.directory, 'cursors', 'a.cursor'))).toBe(true)
    expect(JSON.parse(readFileSync(join(logs.directory, 'cursors', 'a.cursor'), 'utf8'))).toMatchObject({ next: 4 })
  })

  test('one of a remote that leaves while it is stored is not left behind', async () => {
    const log = logs.open({ remotes: ['a', 'b'], cursorIntervalMs: 1 })
    for (let i = 0; i < 30; i++) {
      append(log, 1)
      log.acknowledge('b', log.nextSequence)
      await new Promise((resolve) => setTimeout(resolve, i % 4))
      log.setRemotes(['a'])
      log.setRemotes(['a', 'b'])
      log.setRemotes(['a'])
    }
    await logs.close(log)
    expect(readdirSync(join(logs.directory, 'cursors'))).toEqual(['a.cursor'])
  })

  test('what two lanes delivered, one after the other, is not sent again after a restart', async () => {
    let log = logs.open()
    append(log, 5)
    log.openLane('a')
    append(log, 5)
    // Frames 6 to 8 by the first live lane.
    log.acknowledge('a', 3, 9)
    await logs.close(log)
    log = logs.open()
    append(log, 2)
    log.openLane('a')
    append(log, 2)
    log.acknowledge('a', 4, 14)
    expect(log.pendingFrames('a')).toBe(7)
    await logs.close(log)
    log = logs.open()
    expect(await readSequences(log)).toEqual([4, 5, 9, 10, 11, 12, 14])
    expect(logs.losses).toEqual([])
    log.acknowledge('a', 15)
    await logs.close(log)
    const stored = readFileSync(join(logs.directory, 'cursors', 'a.cursor'), 'utf8')
    expect(stored).toBe('{"version":1,"remote":"a","next":15}\n')
  })

  test('remember a bounded number of ranges, the newest', async () => {
    const log = logs.open()
    append(log, 2 * settledRangesMax + 10)
    log.abandon('a', new Map())
    const stored = {
      version: 1,
      remote: 'a',
      next: 1,
      settled: Array.from({ length: settledRangesMax + 2 }, (_, i) => ({ first: 2 * i + 2, end: 2 * i + 3 })),
    }
    await logs.close(log)
    writeFileSync(join(logs.directory, 'cursors', 'a.cursor'), JSON.stringify(stored))
    const again = logs.open()
    expect(again.pendingFrames('a')).toBe(2 * settledRangesMax + 10 - settledRangesMax)
    const sequences = await readSequences(again)
    expect(sequences.slice(0, 6)).toEqual([1, 2, 3, 4, 5, 7])
  })

  test.each([
    ['no range', '{"version":1,"remote":"a","next":2,"settled":[{"first":5,"end":4},7,null,{"first":"3","end":9}]}'],
    ['something else', '{"version":1,"remote":"a","next":2,"settled":"x","done":[]}'],
  ])('with %s among what is settled are taken without it', async (_what, text) => {
    await writeSegments(4)
    writeFileSync(join(logs.directory, 'cursors', 'a.cursor'), text)
    expect(await readSequences(logs.open())).toEqual([2, 3, 4])
  })

  test('ahead of a log that lost its end: nothing gets the number of a frame that was delivered', async () => {
    const [path] = await writeSegments(9)
    writeFileSync(join(logs.directory, 'cursors', 'b.cursor'), '{"version":1,"remote":"b","next":10}')
    const bytes = readFileSync(path!)
    // A power cut took the last three frames, and left a part of one.
    const cut = framesOf(bytes, sampleFrame)[6]!
    writeFileSync(`${path!}.cut`, bytes.subarray(0, cut))
    copyFileSync(`${path!}.cut`, path!)
    rmSync(`${path!}.cut`)
    appendFileSync(path!, bytes.subarray(cut, cut + 30))
    const log = logs.open({ remotes: ['a', 'b'] })
    append(log, 2)
    expect(await readSequences(log, 'b')).toEqual([10, 11])
    expect(await readSequences(log, 'a')).toEqual([1, 2, 3, 4, 5, 6, 10, 11])
    expect(logs.losses).toEqual([['a', 'damaged', 3, undefined]])
  })

  test('a log whose newest segment was taken away goes on behind the cursor', async () => {
    const paths = await writeSegments(4, 5)
    writeFileSync(join(logs.directory, 'cursors', 'a.cursor'), '{"version":1,"remote":"a","next":8}')
    renameSync(paths[1]!, `${paths[1]!}.away`)
    const log = logs.open()
    append(log, 1)
    expect(await readSequences(log)).toEqual([8])
    expect(logs.losses).toEqual([])
  })
})
