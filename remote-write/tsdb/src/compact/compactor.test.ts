import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { createLogger, silentLogger } from '@narthex/service/logger'
import { isUlid } from '../block/ulid.ts'
import { BlockShelf } from '../select/block-shelf.ts'
import { HeadReader } from '../select/head-reader.ts'
import { MergedQueryable } from '../select/merged-queryable.ts'
import { listLog } from '../wal/log-files.ts'
import { RecordBuilder } from '../wal/record-builder.ts'
import { histogramOf } from '../wal/wal.test-histograms.ts'
import { openStore } from '../open-store.ts'
import { testThread } from './compactor.test-thread.ts'
import type { Store } from '../store.ts'

const rangeMs = 10_000
let directory = ''
let store: Store

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-compactor-'))
})
afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

function open(
  options: {
    retentionMs?: number
    retentionBytesMax?: number
    mayCutLog?: (directory: string, activeSegment: number, settledSegment: number) => boolean
    lines?: string[]
    /** Whether a thread of its own does the work, as in a server; it takes half a second to start. */
    startsThread?: boolean
  } = {},
): void {
  const { lines, startsThread, ...rest } = options
  const log = lines === undefined ? silentLogger : createLogger({ level: 'info', format: 'logfmt', write: (line) => void lines.push(line) })
  store = openStore({
    directory,
    chunkRangeMs: rangeMs,
    maxBlockRangeMs: 9 * rangeMs,
    memoryBytesMax: 64 * 2 ** 20,
    outOfOrderWindowMs: 0,
    now: () => 1e9,
    log,
    // What is tested here is in the logs.
    keepsHeadState: false,
    ...(startsThread === true ? {} : { thread: testThread }),
    ...rest,
  })
}

/** A sample of each of three series every second. */
function write(fromSecond: number, toSecond: number): void {
  const { head } = store
  const words = new Uint32Array(2)
  for (let second = fromSecond; second < toSecond; second++) {
    new Float64Array(words.buffer)[0] = second
    for (const a of ['1', '2', 'é']) {
      expect(head.append(head.refByLabels(Labels.from({ __name__: 'm', a })), second * 1000, words[0]!, words[1]!)).toBe(0)
    }
    head.commit()
  }
}

/** By series, the seconds of its samples, whose values are right. */
function read(): Record<string, number[]> {
  const descriptor = store.head.descriptor()
  const head = new HeadReader(descriptor)
  const broken: string[] = []
  const shelf = new BlockShelf(2 ** 20, (path) => broken.push(path))
  shelf.list(store.blocks.shelf)
  const found: Record<string, number[]> = {}
  const merged = new MergedQueryable([...shelf.queryables(), head])
  for (const set = merged.select([new Matcher('=', '__name__', 'm')], -Infinity, Infinity); set.next();) {
    const columns = new SampleColumns()
    set.samples(columns)
    const seconds = Array.from(columns.times.subarray(0, columns.length), (time) => time / 1000)
    expect(Array.from(columns.values.subarray(0, columns.length))).toEqual(seconds)
    found[set.labels().get('a')] = seconds
  }
  head.release()
  store.head.releaseReader(descriptor)
  shelf.close()
  expect(broken).toEqual([])
  return found
}

function seconds(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

function blockDirectories(): string[] {
  return readdirSync(directory).filter(isUlid)
}

/** Of the blocks, in seconds. */
function ranges(): string[] {
  return store.blocks.blocks.map(({ meta }) => `${meta.minTime / 1000}-${meta.maxTime / 1000}`)
}

test('the head is cut when it has more than one and a half ranges, not before', async () => {
  open({ startsThread: true })
  write(0, 16)
  await store.compactor.run()
  expect(blockDirectories()).toEqual([])
  write(16, 17)
  await store.compactor.run()
  expect(ranges()).toEqual(['0-10'])
  expect(store.head.memory.minTime).toBe(10_000)
  expect(read()).toEqual({ '1': seconds(0, 17), '2': seconds(0, 17), é: seconds(0, 17) })
})

test('blocks become longer ones, and no sample is lost or doubled', async () => {
  open()
  for (let second = 0; second < 100; second += 20) {
    write(second, second + 20)
    await store.compactor.run()
  }
  expect(ranges()).toEqual(['0-30', '30-60', '60-70', '70-80', '80-90'])
  expect(store.blocks.blocks[0]!.meta.compaction).toMatchObject({ level: 2, sources: { length: 3 }, parents: { length: 3 } })
  expect(blockDirectories()).toHaveLength(5)
  expect(read()['é']).toEqual(seconds(0, 100))
})

test('samples of before a block are refused, in the head and when the log is read', async () => {
  open()
  write(0, 40)
  await store.compactor.run()
  const { head } = store
  const ref = head.refByLabels(Labels.from({ __name__: 'new' }))
  expect(head.append(ref, 29_999, 0, 0)).not.toBe(0)
  head.rollback()
  await store.close()
  open()
  expect(ranges()).toEqual(['0-10', '10-20', '20-30'])
  expect(store.head.memory.minTime).toBe(30_000)
  expect(read()['1']).toEqual(seconds(0, 40))
})

test('the log is cut down to a checkpoint, and a start has all of it again', async () => {
  open()
  for (let second = 0; second < 200; second += 20) {
    write(second, second + 20)
    await store.compactor.run()
  }
  const names = readdirSync(join(directory, 'wal'))
  expect(names.filter((name) => name.startsWith('checkpoint.'))).toHaveLength(1)
  expect(names).not.toContain('00000000')
  await store.close()
  open()
  write(200, 201)
  expect(read()).toEqual({ '1': seconds(0, 201), '2': seconds(0, 201), é: seconds(0, 201) })
})

test('of the log stays what is not older than the last block, and little more', async () => {
  open()
  for (let second = 0; second < 200; second += 5) {
    write(second, second + 5)
    await store.compactor.run()
  }
  expect(store.head.memory.minTime).toBe(190_000)
  const { checkpoint, segmentsOfCheckpoint, segments } = listLog(join(directory, 'wal'))
  // One ended when the head reached 190 s, one was written when its block was made, and the next one is empty.
  expect(segments.map(({ index }) => index - checkpoint!.index)).toEqual([1, 2])
  // The series, and no sample.
  expect(segmentsOfCheckpoint.map(({ path }) => statSync(path).size < 150)).toEqual([true])
  await store.close()
  open()
  expect(read()['1']).toEqual(seconds(0, 200))
})

test('a log that somebody still reads is not cut down, and is when he has read it', async () => {
  const asked: [active: number, settled: number][] = []
  let isRead = false
  open({
    mayCutLog(path, active, settled) {
      expect(path).toBe(join(directory, 'wal'))
      asked.push([active, settled])
      return isRead
    },
  })
  const list = (): boolean[] => ['00000000', 'checkpoint.00000013'].map((name) => existsSync(join(directory, 'wal', name)))
  for (let second = 0; second < 120; second += 20) {
    write(second, second + 20)
    await store.compactor.run()
  }
  // Two ranges a turn: the first is cut when two segments have begun, and each cut begins another.
  expect(asked.slice(0, 3)).toEqual([
    [2, 0],
    [4, 1],
    [4, 2],
  ])
  expect(list()).toEqual([true, false])
  isRead = true
  write(120, 140)
  await store.compactor.run()
  expect(list()).toEqual([false, true])
})

test.each([
  ['histograms', 7, (builder: RecordBuilder) => builder.addHistogram(1, 500, histogramOf(false)), 1],
  ['exemplars', 4, (builder: RecordBuilder) => builder.addExemplar(1, 0, 0, 0, ['trace', 'a']), 0],
] as const)('a log with %s of a Prometheus is cut down, and blocks have what histograms it has', async (_what, type, add, histograms) => {
  open()
  write(0, 1)
  const builder = new RecordBuilder()
  builder.begin(type)
  add(builder)
  store.wal.writeRecords([builder.view()])
  await store.close()
  open()
  for (let second = 1; second < 121; second += 20) {
    write(second, second + 20)
    await store.compactor.run()
  }
  expect(store.blocks.blocks.length).toBeGreaterThan(2)
  const names = readdirSync(join(directory, 'wal'))
  expect([names.includes('00000000'), names.some((name) => name.startsWith('checkpoint.'))]).toEqual([false, true])
  expect(store.blocks.blocks.reduce((sum, { meta }) => sum + (meta.stats?.numHistogramSamples ?? 0), 0)).toBe(histograms)
})

test('blocks out of the retention go', async () => {
  open({ retentionMs: 30_000 })
  for (let second = 0; second < 100; second += 20) {
    write(second, second + 20)
    await store.compactor.run()
  }
  // Whole blocks: the newest ends at 90.
  expect(ranges()).toEqual(['60-70', '70-80', '80-90'])
  expect(blockDirectories()).toHaveLength(3)
  expect(read()['2']).toEqual(seconds(60, 100))
})

test('a block that a new one puts out of the retention goes before the next one is written', async () => {
  const lines: string[] = []
  open({ retentionMs: 30_000, lines })
  write(0, 100)
  await store.compactor.run()
  const steps = lines.flatMap((line) =>
    line.includes('Head block written') ? ['written'] : line.includes('out of the retention') ? ['gone'] : [],
  )
  expect(steps.slice(0, 6)).toEqual(['written', 'written', 'written', 'written', 'gone', 'written'])
  expect(blockDirectories().length).toBeLessThanOrEqual(3)
})

test('a start removes what a crash left, and blocks that another replaces', async () => {
  open()
  write(0, 60)
  await store.compactor.run()
  const [first] = store.blocks.blocks
  const [parent] = first!.meta.compaction.parents!
  await store.close()
  // As if the blocks that were merged had not been deleted, and another one not been finished.
  const { ulid } = parent!
  mkdirSync(join(directory, ulid, 'chunks'), { recursive: true })
  const meta = { ...first!.meta, ulid, compaction: { level: 1, sources: [ulid] } }
  const { writeBlockMeta } = await import('../block/block-meta.ts')
  await writeBlockMeta(join(directory, ulid), meta)
  mkdirSync(join(directory, `${ulid.slice(0, -1)}0.tmp-for-creation`))
  open()
  expect(ranges()).not.toContain(`${parent!.minTime / 1000}-${parent!.maxTime / 1000}`)
  await store.compactor.run()
  expect(existsSync(join(directory, ulid))).toBe(false)
  expect(readdirSync(directory).filter((name) => name.includes('tmp'))).toEqual([])
  expect(read()['1']).toEqual(seconds(0, 60))
})

test('a block that is damaged is told once, not tried again, and the others go on', async () => {
  const lines: string[] = []
  open({ lines })
  write(0, 40)
  // Two of three blocks, so that none are merged yet.
  await store.compactor.run()
  await store.close()
  const [damaged] = blockDirectories()
  truncateSync(join(directory, damaged!, 'index'), 100)
  open({ lines })
  write(40, 80)
  await store.compactor.run()
  await store.compactor.run()
  expect(lines.filter((line) => line.includes('Writing a block failed'))).toHaveLength(1)
  expect(JSON.parse(readFileSync(join(directory, damaged!, 'meta.json'), 'utf8'))).toMatchObject({ compaction: { failed: true } })
  expect(ranges()).toContain('60-70')
})
