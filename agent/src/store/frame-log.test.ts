import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { symbolText, locateSymbols } from '@narthex/wire/symbol-table'
import type { FrameLog } from './frame-log.ts'
import type { SeriesLayout } from './frame.ts'
import { LayoutBuilder } from './layout-builder.ts'
import { FrameColumns } from './sample-frame.ts'
import type { FrameRef } from './sample-frame.ts'
import { readFrames, TestLogs } from './testkit/open-log.ts'

let logs: TestLogs
const copies: string[] = []

beforeEach(() => {
  logs = new TestLogs({ cursorIntervalMs: 20, syncIntervalMs: 20, healIntervalMs: 20 })
})

afterEach(async () => {
  await logs.end()
  for (const path of copies.splice(0)) rmSync(path, { recursive: true, force: true })
})

function layoutOf(target: number, seriesCount: number, filler = ''): SeriesLayout {
  const builder = new LayoutBuilder()
  for (let i = 0; i < seriesCount; i++) {
    builder.addPairs(['__name__', `metric_${i}`, 'instance', `host-${target}${filler}`], {
      name: `metric_${i}`,
      type: 'gauge',
      help: `Help ${i}.`,
      unit: '',
    })
  }
  return builder.build(target)
}

function append(log: FrameLog, layout: SeriesLayout, time: number, values: number[], indexes?: number[]): void {
  const words = new Uint32Array(Float64Array.from(values).buffer)
  log.append({ layout, indexes: indexes === undefined ? undefined : Uint32Array.from(indexes), times: time, words, count: values.length })
}

async function readAll(log: FrameLog, remote?: string): Promise<FrameRef[]> {
  const frames: FrameRef[] = []
  for await (const frame of readFrames(log, remote)) frames.push(frame)
  return frames
}

function describeFrame(frame: FrameRef): string {
  const columns = new FrameColumns()
  columns.read(frame)
  const { layout } = frame
  const offsets = locateSymbols(layout.symbolBytes, layout.symbolCount)
  const values = new Float64Array(columns.words.buffer, columns.words.byteOffset, columns.count)
  return Array.from({ length: columns.count }, (_, i) => {
    const series = columns.hasIndexes ? columns.indexes[i]! : i
    const refs = [...layout.seriesRefs.subarray(layout.seriesRefOffsets[series]! + 2, layout.seriesRefOffsets[series + 1])]
    const labels = refs.map((ref) => symbolText(layout.symbolBytes, offsets, ref)).join(' ')
    return `${labels} ${values[i]}@${columns.hasTimes ? columns.times[i] : columns.timeMs}`
  }).join('; ')
}

/** A directory with just these bytes as its only segment. */
function directoryWith(name: string, bytes: Uint8Array): string {
  const copy = mkdtempSync(join(tmpdir(), 'narthex-log-'))
  writeFileSync(join(copy, name), bytes)
  copies.push(copy)
  return copy
}

describe('FrameLog', () => {
  test('gives frames back with labels, times and values', async () => {
    const log = logs.open()
    append(log, layoutOf(1, 2), 1000, [1.5, -2])
    append(log, layoutOf(2, 3), 2000, [7, 8], [2, 0])
    const times = Float64Array.of(5000, 4000)
    log.append({ layout: layoutOf(3, 2), indexes: undefined, times, words: new Uint32Array(Float64Array.of(1, 2).buffer), count: 2 })
    expect((await readAll(log)).map(describeFrame)).toEqual([
      '__name__ metric_0 instance host-1 1.5@1000; __name__ metric_1 instance host-1 -2@1000',
      '__name__ metric_2 instance host-2 7@2000; __name__ metric_0 instance host-2 8@2000',
      '__name__ metric_0 instance host-3 1@5000; __name__ metric_1 instance host-3 2@4000',
    ])
  })

  test('gives the same from disk as from memory, with metadata', async () => {
    const log = logs.open()
    const layout = layoutOf(1, 3)
    for (let i = 0; i < 10; i++) append(log, layout, 1000 + i, [i, i / 3, NaN])
    const fromMemory = await readAll(log)
    await logs.close(log)
    const again = logs.open()
    const fromDisk = await readAll(again)
    expect(fromDisk.map(describeFrame)).toEqual(fromMemory.map(describeFrame))
    expect(fromDisk[0]!.layout.families).toEqual(layout.families)
    expect([...fromDisk[0]!.layout.familyOfSeries!]).toEqual([0, 1, 2])
    expect(new Set(fromDisk.map((frame) => frame.layout)).size).toBe(1)
  })

  test('goes on at the cursor after a restart, per remote', async () => {
    const log = logs.open({ remotes: ['a', 'b'] })
    const layout = layoutOf(1, 1)
    for (let i = 0; i < 10; i++) append(log, layout, i, [i])
    log.acknowledge('a', 8)
    log.acknowledge('b', 3)
    await logs.close(log)
    const again = logs.open({ remotes: ['a', 'b'] })
    expect((await readAll(again, 'a')).map((frame) => frame.sequence)).toEqual([8, 9, 10])
    expect((await readAll(again, 'b')).map((frame) => frame.sequence)).toEqual([3, 4, 5, 6, 7, 8, 9, 10])
    append(again, layout, 11, [11])
    expect((await readAll(again, 'a')).map((frame) => frame.sequence)).toEqual([11])
  })

  test('keeps what was appended when the process dies, without close', async () => {
    const log = logs.open()
    const layout = layoutOf(1, 1)
    for (let i = 0; i < 5; i++) append(log, layout, i, [i])
    const copy = mkdtempSync(join(tmpdir(), 'narthex-log-'))
    for (const name of readdirSync(logs.directory)) if (name.endsWith('.frames')) copyFileSync(join(logs.directory, name), join(copy, name))
    const again = logs.open({ directory: copy })
    expect(await readAll(again)).toHaveLength(5)
    rmSync(copy, { recursive: true })
  })

  test('cuts a torn tail, tells it, and keeps every frame before it', async () => {
    const log = logs.open()
    const layout = layoutOf(1, 4)
    for (let i = 0; i < 20; i++) append(log, layout, i, [i, i, i, i])
    await logs.close(log)
    const name = logs.segmentNames()[0]!
    const whole = readFileSync(join(logs.directory, name))
    const frameBytes = whole.length - whole.lastIndexOf('NXF1')
    for (let cut = 1; cut <= frameBytes; cut += 7) {
      logs.problems = []
      const again = logs.open({ directory: directoryWith(name, whole.subarray(0, whole.length - cut)) })
      expect(logs.problems).toEqual(cut === frameBytes ? [] : ['cut the torn tail of the last log segment'])
      expect((await readAll(again)).map((frame) => frame.sequence)).toEqual(Array.from({ length: 19 }, (_, i) => i + 1))
      append(again, layout, 99, [1, 2, 3, 4])
      expect((await readAll(again)).map((frame) => frame.sequence)).toEqual([20])
    }
    expect(logs.losses).toEqual([])
  })

  test('loses at most the damaged frame to a flipped byte, and counts it', async () => {
    const log = logs.open()
    const layouts = [layoutOf(1, 3), layoutOf(2, 5), layoutOf(3, 2)]
    const sent: number[] = []
    for (let i = 0; i < 30; i++) {
      const layout = layouts[i % 3]!
      append(
        log,
        layout,
        i,
        Array.from({ length: layout.seriesCount }, (_, k) => i + k / 7),
      )
      sent.push(i + 1)
    }
    const expected = (await readAll(log)).map(describeFrame)
    await logs.close(log)
    const name = logs.segmentNames()[0]!
    const whole = readFileSync(join(logs.directory, name))
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const damaged = Uint8Array.from(whole)
        damaged[at]! ^= change
        logs.losses = []
        const again = logs.open({ directory: directoryWith(name, damaged) })
        const got = (await readAll(again)).map(describeFrame)
        const torn = expected.length - (again.nextSequence - 1)
        expect(got.length).toBeGreaterThanOrEqual(expected.length - 1)
        expect(got.filter((text) => !expected.includes(text))).toEqual([])
        expect(logs.losses.reduce((sum, [, , frames]) => sum + frames, 0) + torn).toBe(expected.length - got.length)
      }),
      { numRuns: 60 },
    )
  })

  test('reads a backlog from many segments while new frames come, in order and without a gap', async () => {
    const log = logs.open({ tailBytesMax: 50_000 })
    const layout = layoutOf(1, 2000)
    const values = Array.from({ length: 2000 }, (_, i) => i * Math.PI)
    for (let i = 0; i < 1200; i++) append(log, layout, i, values)
    expect(log.segmentCount).toBeGreaterThan(2)
    const reader = log.reader('a')
    let next = 1
    let appended = 1200
    while (next <= 1300) {
      const frame = reader.tryNext()
      if (frame === undefined) {
        if (reader.isBehind) await reader.load()
        else append(log, layout, appended++, values)
        continue
      }
      expect(frame.sequence).toBe(next++)
      if (next % 10 === 0 && appended < 1300) append(log, layout, appended++, values)
    }
    expect(logs.losses).toEqual([])
  })

  test('removes segments when all remotes acknowledged them', async () => {
    const log = logs.open({ remotes: ['a', 'b'] })
    const layout = layoutOf(1, 2000)
    const values = Array.from({ length: 2000 }, (_, i) => i * Math.PI)
    for (let i = 0; i < 1200; i++) append(log, layout, i, values)
    const count = log.segmentCount
    await readAll(log, 'a')
    log.acknowledge('a', log.nextSequence)
    // The cursor of the one is on disk, and nothing has gone.
    await expect.poll(() => existsSync(join(logs.directory, 'cursors', 'a.cursor'))).toBe(true)
    await expect.poll(() => readFileSync(join(logs.directory, 'cursors', 'a.cursor'), 'utf8')).toContain(String(log.nextSequence))
    expect(log.segmentCount).toBe(count)
    log.acknowledge('b', log.nextSequence)
    await expect.poll(() => log.segmentCount).toBe(1)
    expect(logs.segmentNames()).toHaveLength(1)
  })

  test('drops the oldest segment at the byte cap and counts its unread samples exactly', async () => {
    const bytesMax = 20 * 2 ** 20
    const log = logs.open({ bytesMax, tailBytesMax: 1 })
    const layout = layoutOf(1, 2000)
    const values = Array.from({ length: 2000 }, (_, i) => i * Math.PI)
    const reader = log.reader('a')
    for (let i = 0; i < 10; i++) {
      append(log, layout, i, values)
      let frame = reader.tryNext()
      for (; frame === undefined; frame = reader.tryNext()) await reader.load()
      expect(frame.sequence).toBe(i + 1)
    }
    const total = 2500
    for (let i = 10; i < total; i++) append(log, layout, i, values)
    expect(log.bytes).toBeLessThanOrEqual(bytesMax)
    const onDisk = logs.segmentNames()
    expect(onDisk.reduce((sum, name) => sum + statSync(join(logs.directory, name)).size, 0)).toBe(log.bytes)
    const got = await readAll(log)
    expect(logs.losses.every(([remote, reason]) => remote === 'a' && reason === 'storage_cap')).toBe(true)
    expect(logs.losses.reduce((sum, [, , , samples]) => sum + samples!, 0)).toBe((total - 10 - got.length) * 2000)
    expect(got.at(-1)!.sequence).toBe(total)
  })

  test('a removed remote loses its cursor, a new one begins with the oldest frame kept', async () => {
    const log = logs.open()
    for (let i = 0; i < 4; i++) append(log, layoutOf(1, 1), i, [i])
    log.acknowledge('a', 3)
    log.setRemotes(['b'])
    expect(await readAll(log, 'b')).toHaveLength(4)
    expect(() => log.reader('a')).toThrow('no remote a')
  })

  test('keeps samples in the ring while the disk fails, heals by itself, and counts what the ring could not hold', async () => {
    const log = logs.open({ ringBytesMax: 30_000 })
    const layout = layoutOf(1, 100)
    const values = Array.from({ length: 100 }, (_, i) => i * Math.PI)
    append(log, layout, 0, values)
    // A directory that is gone refuses new segments as a full disk does: a full segment makes the writer ask for one.
    rmSync(logs.directory, { recursive: true })
    const big = layoutOf(2, 2000)
    const bigValues = Array.from({ length: 2000 }, (_, i) => i * Math.PI)
    while (log.isWriting) append(log, big, 1, bigValues)
    const from = log.nextSequence
    await readAll(log)
    expect(logs.problems.at(-1)).toBe('cannot write to the log, keeping samples in memory')
    for (let i = 0; i < 5; i++) append(log, layout, i, values)
    expect((await readAll(log)).map((frame) => frame.sequence)).toEqual([from, from + 1, from + 2, from + 3, from + 4])
    for (let i = 0; i < 60; i++) append(log, layout, i, values)
    const lost = logs.losses.filter(([, reason]) => reason === 'disk_full').reduce((sum, [, , , samples]) => sum + samples!, 0)
    expect(lost).toBeGreaterThan(0)
    mkdirSync(join(logs.directory, 'cursors'), { recursive: true })
    await expect.poll(() => log.isWriting).toBe(true)
    expect((await readAll(log)).length).toBe(60 - lost / 100)
    expect(logs.problems).toContain('writing to the log again')
  })
})
