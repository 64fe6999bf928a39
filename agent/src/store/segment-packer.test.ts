import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import type * as fsPromises from 'node:fs/promises'
import { join } from 'node:path'
import { crc32c } from '@narthex/bytes/crc32c'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { headerBytes, isPacked } from './frame-header.ts'
import type { FrameLog } from './frame-log.ts'
import { LayoutBuilder } from './layout-builder.ts'
import { FrameColumns } from './sample-frame.ts'
import { packedSuffix, packSegment } from './segment-packer.ts'
import { readFrames, TestLogs } from './testkit/open-log.ts'

/** Called before a packed file takes the place of the segment. */
let beforeRename: (path: string) => Promise<void> = () => Promise.resolve()

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fsPromises>()
  const rename = async (from: string, to: string) => {
    if (to.endsWith('.frames')) await beforeRename(to)
    return real.rename(from, to)
  }
  return { ...real, default: real, rename }
})

let logs: TestLogs

beforeEach(() => {
  logs = new TestLogs({ cursorIntervalMs: 20, packAfterMs: Infinity })
})

afterEach(async () => {
  beforeRename = () => Promise.resolve()
  await logs.end()
})

const builder = new LayoutBuilder()
for (let i = 0; i < 50; i++) builder.addPairs(['__name__', `metric_number_${i}`, 'instance', 'host'])
const layout = builder.build(1)

function append(log: FrameLog, count: number): void {
  for (let i = 0; i < count; i++) {
    const values = Float64Array.from({ length: layout.seriesCount }, (_, series) => 1000 * series + log.nextSequence + 1 / 3)
    log.append({ layout, indexes: undefined, times: log.nextSequence, words: new Uint32Array(values.buffer), count: layout.seriesCount })
  }
}

/** What each frame says. */
async function readAll(log: FrameLog): Promise<string[]> {
  const columns = new FrameColumns()
  const frames: string[] = []
  for await (const frame of readFrames(log)) {
    columns.read(frame)
    frames.push(`${frame.sequence} ${columns.words.subarray(0, 2 * columns.count).join(' ')}`)
  }
  return frames
}

/** Two segments, of 30 frames and of 5; gives the first one's path and what all frames say. */
async function writeSegments(): Promise<{ path: string; frames: string[] }> {
  for (const count of [30, 5]) {
    const log = logs.open()
    append(log, count)
    await logs.close(log)
  }
  const log = logs.open()
  const frames = await readAll(log)
  await logs.close(log)
  expect(frames).toHaveLength(35)
  return { path: join(logs.directory, logs.segmentNames()[0]!), frames }
}

const pack = (path: string): Promise<number | undefined> => packSegment(path, statSync(path).size, () => true)

describe('packing a segment', () => {
  test('makes it smaller and keeps every frame and its age', async () => {
    const { path, frames } = await writeSegments()
    const before = statSync(path).size
    utimesSync(path, 1000, 2000)
    const packed = await pack(path)
    expect(packed).toBeLessThan(before / 1.5)
    expect(statSync(path)).toMatchObject({ size: packed, mtimeMs: 2_000_000 })
    expect(readFileSync(path)[17]! & isPacked).toBe(isPacked)
    expect(await readAll(logs.open())).toEqual(frames)
    expect(readdirSync(logs.directory).filter((name) => name.endsWith(packedSuffix))).toEqual([])
  })

  test('packed once more it is as it was', async () => {
    const { path } = await writeSegments()
    await pack(path)
    const once = readFileSync(path)
    await pack(path)
    expect(readFileSync(path).equals(once)).toBe(true)
  })

  test('a segment that is packed already is not written once more, whatever its first frame is', async () => {
    // The first frame of a segment is a layout: one of a single short series gets no shorter.
    builder.addPairs(['__name__', 'm'])
    const short = builder.build(2)
    for (const isShort of [true, false, true, false, false]) {
      const log = logs.open()
      if (isShort) log.append({ layout: short, indexes: undefined, times: 1, words: new Uint32Array(2), count: 1 })
      append(log, 30)
      await logs.close(log)
    }
    const paths = logs.segmentNames().map((name) => join(logs.directory, name))
    const toPack = paths.slice(2, 4)
    const before = logs.open()
    const frames = await readAll(before)
    await logs.close(before)
    for (const path of toPack) await pack(path)
    expect(toPack.map((path) => readFileSync(path)[17]! & isPacked)).toEqual([0, isPacked])
    expect(toPack.map((path) => readFileSync(path)[18])).toEqual([1, 1])
    const inodes = toPack.map((path) => statSync(path).ino)

    const renamed: string[] = []
    beforeRename = (path) => Promise.resolve(void renamed.push(path))
    const log = logs.open({ packAfterMs: 0 })
    const bytesBefore = log.bytes
    // They are looked at in order, so the last one comes when the others were passed over.
    await expect.poll(() => renamed).toEqual([paths[1], paths[4]])
    await expect.poll(() => log.bytes).toBeLessThan(bytesBefore)
    expect(toPack.map((path) => statSync(path).ino)).toEqual(inodes)
    expect(await readAll(log)).toEqual(frames)
  })

  test('one that was packed before there was a mark is known by its first frame', async () => {
    const { path } = await writeSegments()
    await pack(path)
    const unmarked = Uint8Array.from(readFileSync(path))
    unmarked[18] = 0
    new DataView(unmarked.buffer).setUint32(4, crc32c(unmarked, 8, headerBytes), true)
    writeFileSync(path, unmarked)
    expect(await pack(path)).toBe(unmarked.length)
    expect(readFileSync(path).equals(unmarked)).toBe(true)
  })

  test('a death at any byte before the rename leaves the segment, and nothing beside it', async () => {
    const { path, frames } = await writeSegments()
    copyFileSync(path, `${path}.whole`)
    await pack(path)
    const packed = readFileSync(path)
    copyFileSync(`${path}.whole`, path)
    rmSync(`${path}.whole`)
    for (const bytes of [0, 1, headerBytes, packed.length - 1, packed.length]) {
      writeFileSync(`${path}${packedSuffix}`, packed.subarray(0, bytes))
      const log = logs.open()
      expect(await readAll(log)).toEqual(frames)
      await logs.close(log)
      expect(existsSync(`${path}${packedSuffix}`)).toBe(false)
    }
    expect(logs.losses).toEqual([])
  })

  test('a death after the rename leaves the packed one, the newest segment included', async () => {
    const { frames } = await writeSegments()
    for (const name of logs.segmentNames()) await pack(join(logs.directory, name))
    const log = logs.open()
    expect(await readAll(log)).toEqual(frames)
    append(log, 1)
    expect(await readAll(log)).toHaveLength(1)
    expect([logs.losses, logs.problems]).toEqual([[], []])
  })

  test('a damaged segment is left alone', async () => {
    const { path } = await writeSegments()
    const damaged = readFileSync(path)
    for (const at of [4, headerBytes + 3, damaged.length - 1]) {
      const bytes = Uint8Array.from(damaged)
      bytes[at]! ^= 4
      writeFileSync(path, bytes)
      expect(await pack(path)).toBeUndefined()
      expect(readFileSync(path).equals(bytes)).toBe(true)
      expect(existsSync(`${path}${packedSuffix}`)).toBe(false)
    }
  })

  test('a flipped bit in a packed segment loses one frame, which is counted', async () => {
    const { path, frames } = await writeSegments()
    await pack(path)
    const packed = readFileSync(path)
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: packed.length - 1 }), fc.nat({ max: 7 }), async (at, bit) => {
        const bytes = Uint8Array.from(packed)
        bytes[at]! ^= 1 << bit
        writeFileSync(path, bytes)
        logs.losses = []
        const log = logs.open()
        const got = await readAll(log)
        await logs.close(log)
        rmSync(join(logs.directory, 'cursors'), { recursive: true })
        expect(got.length).toBeGreaterThanOrEqual(frames.length - 1)
        expect(got.filter((frame) => !frames.includes(frame))).toEqual([])
        expect(logs.losses.reduce((sum, [, , lost]) => sum + lost, 0)).toBe(frames.length - got.length)
      }),
      { numRuns: 50 },
    )
  })

  test('one that is not wanted any more, or finds no room, stays as it is', async () => {
    const { path } = await writeSegments()
    const before = readFileSync(path)
    let asked = 0
    expect(await packSegment(path, before.length, () => ++asked < 10)).toBeUndefined()
    expect(existsSync(`${path}${packedSuffix}`)).toBe(false)
    if (process.platform === 'linux') {
      symlinkSync('/dev/full', `${path}${packedSuffix}`)
      await expect(pack(path)).rejects.toThrow('ENOSPC')
    }
    expect(readFileSync(path).equals(before)).toBe(true)
    expect(existsSync(`${path}${packedSuffix}`)).toBe(false)
  })

  test('a segment that is delivered while its packed file takes its place leaves no file behind', async () => {
    for (const count of [5, 5, 5]) {
      const log = logs.open()
      append(log, count)
      await logs.close(log)
    }
    const log = logs.open({ packAfterMs: 0 })
    expect(await readAll(log)).toHaveLength(15)
    // A rename that takes so long that the remote has everything before it is done.
    const renamed: string[] = []
    beforeRename = async (path) => {
      await expect.poll(() => log.segmentCount).toBe(1)
      expect(existsSync(path)).toBe(false)
      renamed.push(path)
    }
    await expect.poll(() => readdirSync(logs.directory).some((name) => name.endsWith(packedSuffix))).toBe(true)
    append(log, 1)
    log.acknowledge('a', log.nextSequence)
    await expect.poll(() => renamed.length).toBe(1)
    await expect.poll(() => existsSync(renamed[0]!)).toBe(false)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(existsSync(renamed[0]!)).toBe(false)
  })

  test('a reader in the middle of a segment goes on when it is packed under it', async () => {
    const log = logs.open({ tailBytesMax: 1 })
    append(log, 900)
    await logs.close(log)
    const again = logs.open({ tailBytesMax: 1 })
    append(again, 2)
    const reader = again.reader('a')
    const sequences: number[] = []
    let packed: number | undefined
    for (;;) {
      const frame = reader.tryNext()
      if (frame !== undefined) sequences.push(frame.sequence)
      else if (!reader.isBehind) break
      else {
        if (sequences.length > 0 && packed === undefined) packed = await pack(join(logs.directory, `${'1'.padStart(16, '0')}.frames`))
        await reader.load()
      }
    }
    expect(packed).toBeGreaterThan(0)
    expect(sequences).toEqual(Array.from({ length: 902 }, (_, i) => i + 1))
    expect(logs.losses).toEqual([])
  })
})
