import type * as fs from 'node:fs'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import type * as fsPromises from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { FrameLog } from './frame-log.ts'
import type { SeriesLayout } from './frame.ts'
import { LayoutBuilder } from './layout-builder.ts'
import { readSequences, TestLogs } from './testkit/open-log.ts'

/** What the disk is asked next fails as this says. */
const disk: { failsWrite: (bytes: number) => boolean; failsOpen: string | undefined } = { failsWrite: () => false, failsOpen: undefined }

function errorOf(code: string): Error {
  return Object.assign(new Error(`${code}: of the test`), { code })
}

vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>()
  const writeSync = (fd: number, bytes: Uint8Array, offset: number, length: number): number => {
    if (disk.failsWrite(length)) throw errorOf('ENOSPC')
    return real.writeSync(fd, bytes, offset, length)
  }
  return { ...real, default: real, writeSync }
})

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fsPromises>()
  const open = (path: string, flags?: string, mode?: number) => {
    if (disk.failsOpen !== undefined && flags === 'r') return Promise.reject(errorOf(disk.failsOpen))
    return real.open(path, flags, mode)
  }
  return { ...real, default: real, open }
})

let logs: TestLogs

beforeEach(() => {
  logs = new TestLogs({ cursorIntervalMs: 20, syncIntervalMs: 20, healIntervalMs: 20 })
})

afterEach(async () => {
  vi.useRealTimers()
  disk.failsWrite = () => false
  disk.failsOpen = undefined
  await logs.end()
})

/** The log's timers and its age of segments go on only by `pass`. */
function holdTime(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] })
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

function layoutOf(target: number, seriesCount: number): SeriesLayout {
  const builder = new LayoutBuilder()
  for (let i = 0; i < seriesCount; i++) builder.addPairs(['__name__', `metric_${i}`, 'instance', `host-${target}`])
  return builder.build(target)
}

function append(log: FrameLog, layout: SeriesLayout): void {
  const words = new Uint32Array(new Float64Array(layout.seriesCount).fill(Math.PI).buffer)
  log.append({ layout, indexes: undefined, times: log.nextSequence, words, count: layout.seriesCount })
}

/** Fills segments of 64 KiB; give the log `bytesMax` of two of them or more. */
const large = layoutOf(9, 2000)

describe('FrameLog on a disk that fails', () => {
  test('goes on where only the layout of a new segment found room', async () => {
    const log = logs.open()
    // The layout is the first write of a segment, the samples are the second.
    let writes = 0
    disk.failsWrite = () => ++writes === 2
    append(log, layoutOf(1, 3))
    expect(log.isWriting).toBe(false)
    await expect.poll(() => log.isWriting).toBe(true)
    append(log, layoutOf(2, 3))
    expect(log.bytes).toBe(readFileSync(join(logs.directory, logs.segmentNames()[0]!)).length)
    expect(logs.segmentNames()).toHaveLength(1)
    await logs.close(log)
    expect(await readSequences(logs.open())).toEqual([1, 2])
    expect(logs.losses).toEqual([])
  })

  test('a segment that was given up in the middle grows old as the others do', async () => {
    holdTime()
    const log = logs.open({ ageMaxMs: 200 })
    append(log, layoutOf(1, 3))
    disk.failsWrite = () => true
    append(log, layoutOf(1, 3))
    disk.failsWrite = () => false
    await pass(20)
    expect(log.isWriting).toBe(true)
    await pass(180)
    expect([log.segmentCount, logs.losses]).toEqual([2, []])
    await pass(40)
    expect([log.segmentCount, logs.losses]).toEqual([1, [['a', 'storage_age', 1, 3]]])
  })

  test('a full disk gets room from what is delivered, the last segment included', async () => {
    holdTime()
    const log = logs.open()
    append(log, layoutOf(1, 3))
    disk.failsWrite = () => existsSync(join(logs.directory, `${'1'.padStart(16, '0')}.frames`))
    append(log, layoutOf(1, 3))
    expect(log.isWriting).toBe(false)
    await pass(60)
    expect(log.isWriting).toBe(false)
    log.acknowledge('a', 2)
    await pass(20)
    expect(log.isWriting).toBe(true)
    vi.useRealTimers()
    await logs.close(log)
    expect(await readSequences(logs.open())).toEqual([2])
    expect(logs.losses).toEqual([])
  })

  test('what the disk does not take until the end is told as lost', async () => {
    const log = logs.open()
    append(log, layoutOf(1, 3))
    disk.failsWrite = () => true
    for (let i = 0; i < 3; i++) append(log, layoutOf(1, 3))
    // Read, and not delivered.
    expect(log.reader('a').tryNext()?.sequence).toBe(1)
    expect(log.reader('a').tryNext()?.sequence).toBe(2)
    await logs.close(log)
    expect(logs.losses).toEqual([2, 3, 4].map(() => ['a', 'disk_full', 1, 3]))
    disk.failsWrite = () => false
    const again = logs.open()
    expect(await readSequences(again)).toEqual([1])
    // No new frame gets the number of one that is counted as lost.
    append(again, layoutOf(1, 3))
    expect(await readSequences(again)).toEqual([5])
    expect(logs.losses).toHaveLength(3)
  })

  test('reads on after a shortage of file descriptors, and loses nothing', async () => {
    const log = logs.open({ tailBytesMax: 1 })
    for (let i = 0; i < 5; i++) append(log, layoutOf(1, 3))
    disk.failsOpen = 'EMFILE'
    setTimeout(() => (disk.failsOpen = undefined), 30)
    expect(await readSequences(log)).toEqual([1, 2, 3, 4, 5])
    expect(logs.losses).toEqual([])
    expect(logs.problems).toContain('cannot read a log segment, trying again')
  })

  test('a segment that cannot be removed stops neither scrapes nor the process', async () => {
    const log = logs.open({ bytesMax: 2 ** 17, tailBytesMax: 1 })
    append(log, large)
    // A file in whose place a directory stands cannot be unlinked.
    const path = join(logs.directory, logs.segmentNames()[0]!)
    rmSync(path)
    mkdirSync(path)
    for (let i = 0; i < 40; i++) append(log, large)
    expect(logs.problems).toContain('cannot remove a log segment')
    expect(log.bytes).toBeLessThanOrEqual(2 ** 17)
  })

  test.runIf(process.platform === 'linux')('makes room with what is delivered when there is none for the cursor', async () => {
    const log = logs.open({ bytesMax: 2 ** 21, tailBytesMax: 1 })
    for (let i = 0; i < 40; i++) append(log, large)
    const count = log.segmentCount
    expect(count).toBeGreaterThan(3)
    await readSequences(log)
    // The first cursor is stored, and no other one under way.
    await expect.poll(() => existsSync(join(logs.directory, 'cursors', 'a.cursor'))).toBe(true)
    await expect.poll(() => existsSync(join(logs.directory, 'cursors', 'a.cursor.tmp'))).toBe(false)
    symlinkSync('/dev/full', join(logs.directory, 'cursors', 'a.cursor.tmp'))
    log.acknowledge('a', log.nextSequence - 1)
    await expect.poll(() => log.segmentCount).toBe(1)
    expect(logs.problems).toContain('cannot store the cursor of a remote')
    expect(logs.losses).toEqual([])
    // What the last segment still has is kept.
    rmSync(join(logs.directory, 'cursors', 'a.cursor.tmp'))
    await expect.poll(() => existsSync(join(logs.directory, 'cursors', 'a.cursor'))).toBe(true)
    await logs.close(log)
    expect(await readSequences(logs.open())).toEqual([40])
  })

  test('what the ring dropped is not counted once more after a restart or a reload', async () => {
    const log = logs.open({ ringBytesMax: 5000, tailBytesMax: 1 })
    append(log, layoutOf(1, 3))
    disk.failsWrite = () => true
    for (let i = 0; i < 20; i++) append(log, layoutOf(2, 100))
    expect(logs.losses.length).toBeGreaterThan(0)
    expect(logs.losses.every(([, reason, frames, samples]) => reason === 'disk_full' && frames === 1 && samples === 100)).toBe(true)
    const lost = logs.losses.length
    disk.failsWrite = () => false
    await expect.poll(() => log.isWriting).toBe(true)
    const expected = [1, ...Array.from({ length: 20 - lost }, (_, i) => 2 + lost + i)]
    expect(await readSequences(log)).toEqual(expected)
    log.rewind('a')
    expect(await readSequences(log)).toEqual(expected)
    await logs.close(log)
    expect(await readSequences(logs.open())).toEqual(expected)
    expect(logs.losses).toHaveLength(lost)
  })
})
