import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { silentLogger } from '@narthex/service/logger'
import { isUlid } from './block/ulid.ts'
import { readBlockMeta } from './block/block-meta.ts'
import { hasTombstones, Tombstones } from './block/tombstones.ts'
import { testThread } from './compact/compactor.test-thread.ts'
import { BlockShelf } from './select/block-shelf.ts'
import { HeadReader } from './select/head-reader.ts'
import { MergedQueryable } from './select/merged-queryable.ts'
import { openStore } from './open-store.ts'
import type { Store } from './store.ts'

const rangeMs = 10_000
let directory = ''
let store: Store
let shelf: BlockShelf

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-admin-'))
  shelf = new BlockShelf(2 ** 20, (path, reason) => expect.fail(`${path}: ${reason}`))
  open()
})
afterEach(async () => {
  shelf.close()
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

function open(data = directory): void {
  store = openStore({
    directory: data,
    chunkRangeMs: rangeMs,
    maxBlockRangeMs: 3 * rangeMs,
    memoryBytesMax: 64 * 2 ** 20,
    now: () => 1e9,
    thread: testThread,
    log: silentLogger,
  })
}

async function reopen(): Promise<void> {
  await store.close()
  open()
}

/** A sample of each series every second. */
function write(fromSecond: number, toSecond: number, names: readonly string[] = ['a', 'b', 'c']): void {
  const words = new Uint32Array(2)
  for (let second = fromSecond; second < toSecond; second++) {
    new Float64Array(words.buffer)[0] = second
    for (const i of names) {
      expect(store.head.append(store.head.refByLabels(Labels.from({ __name__: 'm', i })), second * 1000, words[0]!, words[1]!)).toBe(0)
    }
    store.head.commit()
  }
}

function remove(pattern: string, fromSecond: number, toSecond: number): Promise<void> {
  return store.admin.deleteSeries([[new Matcher('=~', 'i', pattern)]], fromSecond * 1000, toSecond * 1000)
}

/** By series, the seconds of its samples, whose values are right; through blocks that stay open. */
function read(): Record<string, number[]> {
  const descriptor = store.head.descriptor()
  const head = new HeadReader(descriptor)
  head.deletions = store.head.deletions.view
  shelf.list(store.blocks.shelf)
  const found: Record<string, number[]> = {}
  const merged = new MergedQueryable([...shelf.queryables(), head])
  for (const set = merged.select([new Matcher('=', '__name__', 'm')], -Infinity, Infinity); set.next();) {
    const columns = new SampleColumns()
    set.samples(columns)
    const seconds = Array.from(columns.times.subarray(0, columns.length), (time) => time / 1000)
    expect(Array.from(columns.values.subarray(0, columns.length))).toEqual(seconds)
    found[set.labels().get('i')] = seconds
  }
  head.release()
  store.head.releaseReader(descriptor)
  return found
}

function seconds(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

function blockDirectories(): string[] {
  return readdirSync(directory).filter(isUlid)
}

describe('a deletion', () => {
  test('is seen by readers that have the blocks open, in blocks and in the head, and after a restart', async () => {
    write(0, 25)
    await store.compactor.run()
    expect(store.blocks.blocks.map(({ meta }) => meta.maxTime)).toEqual([10_000])
    expect(read()).toEqual({ a: seconds(0, 25), b: seconds(0, 25), c: seconds(0, 25) })
    await remove('a|b', 8, 12)
    const left = [...seconds(0, 8), ...seconds(13, 25)]
    expect(read()).toEqual({ a: left, b: left, c: seconds(0, 25) })
    const [block] = blockDirectories()
    expect(readBlockMeta(join(directory, block!)).stats!.numTombstones).toBe(2)
    expect(store.blocks.blocks[0]!.meta.stats!.numTombstones).toBe(2)
    // A second one, while the first has been read by the open block.
    await remove('a', 0, 0)
    expect(read()['a']).toEqual(left.slice(1))
    await reopen()
    expect(read()).toEqual({ a: left.slice(1), b: left, c: seconds(0, 25) })
  })

  test('ends with the last sample that a series has: a later one is there', async () => {
    write(0, 5)
    await remove('a', -1e9, 1e9)
    // None of it is left, so it is not listed.
    expect(read()).toEqual({ b: seconds(0, 5), c: seconds(0, 5) })
    write(5, 7)
    expect(read()['a']).toEqual([5, 6])
    await reopen()
    expect(read()['a']).toEqual([5, 6])
  })

  test('takes what any selector takes, once, and nothing outside the time', async () => {
    write(0, 10)
    const { admin } = store
    const all = [new Matcher('=', '__name__', 'm')]
    await admin.deleteSeries([all, [new Matcher('=', 'i', 'b')]], 3_000, 4_999)
    expect(read()['b']).toEqual([0, 1, 2, 5, 6, 7, 8, 9])
    const bytes = store.wal.bytesWritten
    await admin.deleteSeries([all], 5_000, 4_000)
    await admin.deleteSeries([all], 50_000, 60_000)
    await admin.deleteSeries([], -Infinity, Infinity)
    await remove('no', -1e9, 1e9)
    expect(store.wal.bytesWritten).toBe(bytes)
    expect(read()['a']).toEqual([0, 1, 2, 5, 6, 7, 8, 9])
  })

  test('of the head is not in the block that is cut from it', async () => {
    // One second less than what is cut at once.
    write(0, 16)
    await remove('a', 5, 11)
    await remove('b', 0, 16)
    write(16, 17, ['a', 'c'])
    await store.compactor.run()
    const [block] = blockDirectories()
    expect(readBlockMeta(join(directory, block!)).stats).toMatchObject({ numSamples: 15, numSeries: 2 })
    expect(hasTombstones(join(directory, block!))).toBe(false)
    expect(read()).toEqual({ a: [...seconds(0, 5), ...seconds(12, 17)], c: seconds(0, 17) })
  })

  test('goes with a merge, and one that comes during a run waits for it', async () => {
    write(0, 47)
    const run = store.compactor.run()
    const removed = remove('a', 2, 35)
    await Promise.all([run, removed])
    expect(read()['a']).toEqual([0, 1, ...seconds(36, 47)])
    write(47, 60)
    await store.compactor.run()
    expect(store.blocks.blocks.some(({ meta }) => meta.compaction.level > 1)).toBe(true)
    expect(read()).toEqual({ a: [0, 1, ...seconds(36, 60)], b: seconds(0, 60), c: seconds(0, 60) })
  })

  test('tells of a block that cannot be read, and is done everywhere else', async () => {
    write(0, 30)
    await store.compactor.run()
    const [broken, whole] = store.blocks.blocks.map(({ meta }) => meta.ulid)
    truncateSync(join(directory, broken!, 'index'), 20)
    expect(store.blocks.blocks).toHaveLength(2)
    await expect(remove('a', 0, 100)).rejects.toThrow(/cannot delete from every block: cannot read .*index at offset/)
    expect(Tombstones.read(join(directory, whole!, 'tombstones')).count).toBe(1)
    await store.blocks.add(undefined, [broken!])
    expect(read()).toEqual({ b: seconds(10, 30), c: seconds(10, 30) })
  })

  test('is refused once the storage closes', async () => {
    write(0, 3)
    await store.close()
    await expect(remove('a', 0, 100)).rejects.toThrow('the storage is being closed')
  })

  test('is taken over from the log of a start only where the head still has the time', async () => {
    write(0, 5)
    await remove('a', 0, 3)
    write(5, 17)
    await store.compactor.run()
    await reopen()
    expect(store.blocks.maxTimeMs).toBe(10_000)
    expect(store.head.deletions.view).toBeUndefined()
    expect(read()['a']).toEqual(seconds(4, 17))
  })
})

describe('cleaning', () => {
  test('writes blocks with deletions anew, deletes those with nothing else and leaves the others', async () => {
    write(0, 10, ['a', 'b'])
    write(10, 20, ['a'])
    write(20, 36, ['a', 'b'])
    await store.compactor.run()
    const before = store.blocks.blocks.map(({ meta }) => meta)
    expect(before.map(({ minTime }) => minTime)).toEqual([0, 10_000])
    await remove('a', 3, 19)
    await store.admin.cleanTombstones()
    expect(read()).toEqual({ a: [0, 1, 2, ...seconds(20, 36)], b: [...seconds(0, 10), ...seconds(20, 36)] })
    const [cleaned, ...others] = store.blocks.blocks
    expect(others).toEqual([])
    expect(cleaned!.meta).toMatchObject({
      minTime: 0,
      maxTime: 10_000,
      stats: { numSamples: 13 },
      compaction: { level: 1, sources: [cleaned!.meta.ulid], parents: [{ ulid: before[0]!.ulid, minTime: 0, maxTime: 10_000 }] },
    })
    expect(blockDirectories()).toEqual([cleaned!.meta.ulid])
    await store.admin.cleanTombstones()
    expect(blockDirectories()).toEqual([cleaned!.meta.ulid])
  })

  test('names the block that cannot be written anew', async () => {
    write(0, 17)
    await store.compactor.run()
    await remove('a', 0, 3)
    const block = join(directory, blockDirectories()[0]!)
    truncateSync(join(block, 'chunks', '000001'), 30)
    await expect(store.admin.cleanTombstones()).rejects.toThrow(`clean tombstones: ${block}: cannot read`)
    expect(existsSync(block)).toBe(true)
  })
})

describe('a snapshot', () => {
  test('is a data directory with everything up to now but what is deleted, and stays as it is', async () => {
    write(0, 17)
    await store.compactor.run()
    await remove('a', 8, 12)
    const name = await store.admin.snapshot(true)
    expect(name).toMatch(/^19700112T134640Z-[0-7][0-9a-f]{15}$/)
    const expected = read()
    const snapshot = join(directory, 'snapshots', name)
    const names = readdirSync(snapshot)
    expect(names).toHaveLength(2)
    expect(names.every(isUlid)).toBe(true)
    const index = (base: string): number => statSync(join(base, blockDirectories()[0]!, 'index')).ino
    expect(index(snapshot)).toBe(index(directory))
    write(17, 20)
    await remove('b', 0, 100)
    await store.admin.cleanTombstones()
    await store.close()
    open(snapshot)
    expect(read()).toEqual(expected)
  })

  test('without the head has the blocks alone', async () => {
    const empty = await store.admin.snapshot(true)
    expect(readdirSync(join(directory, 'snapshots', empty))).toEqual([])
    write(0, 17)
    await store.compactor.run()
    const name = await store.admin.snapshot(false)
    expect(readdirSync(join(directory, 'snapshots', name))).toEqual(blockDirectories())
  })

  test('that was interrupted is removed by a later start, one that is whole stays', async () => {
    const name = await store.admin.snapshot(true)
    const unfinished = join(directory, 'snapshots', 'a.tmp')
    mkdirSync(join(unfinished, 'x'), { recursive: true })
    await reopen()
    await store.compactor.run()
    expect(readdirSync(join(directory, 'snapshots'))).toEqual([name])
  })

  test('that fails leaves nothing', async () => {
    write(0, 17)
    await store.compactor.run()
    const block = join(directory, blockDirectories()[0]!)
    const index = readFileSync(join(block, 'index'))
    rmSync(join(block, 'index'))
    await expect(store.admin.snapshot(true)).rejects.toThrow(/ENOENT.*index/)
    expect(index.length).toBeGreaterThan(0)
    expect(readdirSync(join(directory, 'snapshots'))).toEqual([])
  })
})

test('whatever the order of writes, deletions, compactions, cleanings and restarts: what was not deleted is there', async () => {
  let seed = 7
  const random = (below: number): number => Math.floor(((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32) * below)
  const expected: Record<string, number[]> = { a: [], b: [], c: [] }
  let second = 0
  for (let step = 0; step < 24; step++) {
    const what = random(10)
    if (what < 4) {
      const names = ['a', 'b', 'c'].filter(() => random(4) > 0)
      const count = 2 + random(9)
      write(second, second + count, names)
      for (const name of names) expected[name]!.push(...seconds(second, second + count))
      second += count
    } else if (what < 7) {
      const from = random(second + 3) - 1
      const to = from + random(12)
      const pattern = ['a', 'b|c', 'c', '.*'][random(4)]!
      await remove(pattern, from, to)
      for (const name of Object.keys(expected)) {
        if (new RegExp(`^(?:${pattern})$`).test(name)) expected[name] = expected[name]!.filter((time) => time < from || time > to)
      }
    } else if (what < 9) await store.compactor.run()
    else if (random(2) === 0) await store.admin.cleanTombstones()
    else await reopen()
    const found = read()
    for (const name of Object.keys(expected)) expect(found[name] ?? [], `step ${step}: ${what}`).toEqual(expected[name])
  }
  expect(store.blocks.maxTimeMs).toBeGreaterThan(2 * rangeMs)
})
