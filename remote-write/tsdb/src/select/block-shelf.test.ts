import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { BlockReader } from '../block/block-reader.ts'
import { writeBlock } from '../block/block.test-blocks.ts'
import { PageCache } from '../block/page-cache.ts'
import { readMetaWithTrueRange } from '../compact/true-range.ts'
import { BlockShelf } from './block-shelf.ts'

let parent = ''
let directory = ''
let told: string[] = []

const series = Array.from({ length: 40 }, (_, i) => ({
  labels: ['__name__', 'm', 'i', `v${i}`, 'long', 'x'.repeat(1000) + String(i)],
  chunks: [[[1000, i]], [[2000, i]]] as [number, number][][],
}))

beforeEach(async () => {
  parent = mkdtempSync(join(tmpdir(), 'narthex-shelf-'))
  directory = await writeBlock(parent, series)
  told = []
})
afterEach(() => rmSync(parent, { recursive: true, force: true }))

function createShelf(): BlockShelf {
  return new BlockShelf(0, (block, reason, isPart) => told.push(`${isPart ? 'part' : 'block'} ${basename(block)}: ${reason}`))
}

/** Values by `i`. */
function read(shelf: BlockShelf): Map<string, number[]> {
  shelf.list([{ directory, minTimeMs: 1000, maxTimeMs: 2001, deletions: 0 }])
  const found = new Map<string, number[]>()
  const columns = new SampleColumns()
  for (const block of shelf.queryables()) {
    for (const set = block.select([new Matcher('=', '__name__', 'm')], 0, 5000); set.next();) {
      columns.clear()
      set.samples(columns)
      found.set(set.labels().get('i'), Array.from(columns.values.subarray(0, columns.length)))
    }
  }
  return found
}

/** The chunks of a series, and where its entry stands in the index. */
function find(i: number): { chunks: number[]; offset: number } {
  const block = BlockReader.open(directory, new PageCache(0))
  const [reference] = block.select([new Matcher('=', 'i', `v${i}`)])
  const entry = {
    reference: 0,
    labelCount: 0,
    labels: new Uint32Array(32),
    chunkCount: 0,
    minTimes: new Float64Array(8),
    maxTimes: new Float64Array(8),
    chunks: new Float64Array(8),
  }
  block.readSeries(reference!, entry)
  block.close()
  return { chunks: [...entry.chunks.subarray(0, entry.chunkCount)], offset: reference! * 16 }
}

function flip(name: string, at: number): void {
  const path = join(directory, name)
  const byte = readFileSync(path)[at]!
  const fd = openSync(path, 'r+')
  writeSync(fd, Uint8Array.of(byte ^ 4), 0, 1, at)
  closeSync(fd)
}

describe('a block that is damaged', () => {
  it('in one chunk gives all others, and says so in every answer', () => {
    flip('chunks/000001', find(7).chunks[1]! + 4)
    const shelf = createShelf()
    for (let query = 0; query < 2; query++) {
      const found = read(shelf)
      expect([found.size, found.get('v7'), found.get('v8')]).toEqual([40, [7], [8, 8]])
      expect([...shelf.warnings]).toEqual([`block ${basename(directory)} is damaged: the result is without some of its samples`])
    }
    expect(told).toHaveLength(2)
    expect(told[0]).toMatch(/^part \w+: cannot read \S+000001 at offset \d+: chunk: want checksum/)
    shelf.close()
  })

  it('in one series gives all others', () => {
    flip('index', find(3).offset + 3)
    const shelf = createShelf()
    const found = read(shelf)
    expect([found.size, found.has('v3'), told.length]).toEqual([39, false, 1])
    expect(told[0]).toMatch(/^part \w+: cannot read \S+index at offset \d+: series: want checksum/)
    shelf.close()
  })

  it('in its symbols or postings while it is open is never read wrong', () => {
    const { size } = statSync(join(directory, 'index'))
    const whole = readFileSync(join(directory, 'index'))
    const expected = [...read(createShelf())]
    for (let at = 5; at < size; at += 1499) {
      const shelf = createShelf()
      read(shelf)
      // The cache has room for 64 pages, more than this index has: what stands in it is read past the cache or from its pages.
      flip('index', at)
      for (const [i, values] of read(shelf)) expect(expected.find(([name]) => name === i)?.[1]).toEqual(values)
      writeFileSync(join(directory, 'index'), whole)
      shelf.close()
    }
  })

  it('in its index is not read any more, and told once', () => {
    const shelf = createShelf()
    shelf.list([{ directory, minTimeMs: 1000, maxTimeMs: 2001, deletions: 0 }])
    for (const block of shelf.queryables()) block.labelNames([], 0, 5000)
    truncateSync(join(directory, 'index'), 60)
    for (let query = 0; query < 2; query++) {
      expect(read(shelf).size).toBe(0)
      expect([...shelf.warnings]).toEqual([`block ${basename(directory)} cannot be read: the result is without its samples`])
    }
    expect(told.filter((line) => line.startsWith('block'))).toHaveLength(1)
    shelf.close()
  })
})

describe('the times in a meta.json', () => {
  function readMeta(change: (text: string) => string): { range: number[]; problems: string[] } {
    const path = join(directory, 'meta.json')
    const whole = readFileSync(path, 'utf8')
    writeFileSync(path, change(whole))
    const problems: string[] = []
    const { minTime, maxTime } = readMetaWithTrueRange(directory, 500, (problem) => problems.push(problem))
    writeFileSync(path, whole)
    return { range: [minTime, maxTime], problems }
  }

  it('that hide samples are told and not believed', () => {
    expect(readMeta((text) => text.replace('"maxTime": 2001', '"maxTime": 1801'))).toEqual({
      range: [1000, 2001],
      problems: ['want minTime and maxTime around samples of [1000, 2000], got 1000 and 1801'],
    })
    expect(readMeta((text) => text.replace('"minTime": 1000', '"minTime": 1400')).range).toEqual([1000, 2001])
  })

  it('that reach far behind the last sample end with it', () => {
    expect(readMeta((text) => text.replace('"maxTime": 2001', '"maxTime": 92001'))).toEqual({ range: [1000, 2001], problems: [] })
    expect(readMeta((text) => text.replace('"maxTime": 2001', '"maxTime": 2499')).range).toEqual([1000, 2499])
  })

  it('of multiples of the range are believed unread', () => {
    rmSync(join(directory, 'index'))
    expect(readMeta((text) => text.replace('"maxTime": 2001', '"maxTime": 2500')).range).toEqual([1000, 2500])
    expect(() => readMeta((text) => text)).toThrow(/cannot read \S+index at offset 0/)
  })

  it('belong to the block of that name', () => {
    const ulid = basename(directory)
    expect(() => readMeta((text) => text.replaceAll(ulid, `${ulid.slice(0, -1)}${ulid.endsWith('0') ? '1' : '0'}`))).toThrow(
      /meta.json at offset 0: want ulid \w+ as the directory's name, got \w+/,
    )
  })
})
