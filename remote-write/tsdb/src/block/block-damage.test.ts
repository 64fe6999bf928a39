import { closeSync, cpSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { crc32c } from '@narthex/bytes/crc32c'
import { Matcher } from '@narthex/model/matcher'
import { BlockError } from './block-error.ts'
import { BlockReader } from './block-reader.ts'
import { readLines, writeBlock } from './block.test-blocks.ts'
import type { TestSeries } from './block.test-blocks.ts'
import { readU32 } from './byte-order.ts'
import { PageCache } from './page-cache.ts'
import { Tombstones } from './tombstones.ts'

let parent = ''
let directory = ''
let whole: string[] = []

beforeAll(async () => {
  parent = mkdtempSync(join(tmpdir(), 'narthex-block-'))
  // More than 32 values of a name, so that the sparse tables have something to skip.
  const series = Array.from({ length: 34 }, (_, i): TestSeries => {
    return { labels: ['__name__', 'm', 'i', `v${i}`], chunks: i % 16 > 0 ? [[[1000 + i, 1]]] : [[[1000, 1 / 3]], [[1500, 7]]] }
  })
  directory = await writeBlock(parent, series, { chunkFileBytesMax: 600 })
  const block = BlockReader.open(directory, new PageCache())
  const stones = new Tombstones()
  stones.add(block.select([])[1]!, 1000, 1400)
  stones.add(block.select([])[5]!, -5, 1100)
  block.close()
  writeFileSync(join(directory, 'tombstones'), stones.encode())
  whole = answer()
})
afterAll(() => rmSync(parent, { recursive: true, force: true }))

const selected = [
  [new Matcher('=', 'i', 'v7')],
  [new Matcher('=~', 'i', 'v.+')],
  [new Matcher('!=', 'i', 'v1')],
  [new Matcher('=', '__name__', 'm')],
]

/** All that a reader can be asked, or the error. */
function answer(): string[] {
  const block = BlockReader.open(directory, new PageCache(0))
  try {
    const stones = block.tombstones.references().map((reference) => `${reference}: ${block.tombstones.intervals(reference)?.join()}`)
    const references = selected.map((matchers) => block.select(matchers).join())
    return [...readLines(block), ...references, block.labelNames().join(), block.labelValues('i').join(), ...stones]
  } finally {
    block.close()
  }
}

function outcome(): 'same' | 'other answer' | 'error' | 'error without file' {
  try {
    const lines = answer()
    return lines.length === whole.length && lines.every((line, i) => line === whole[i]) ? 'same' : 'other answer'
  } catch (error) {
    if (!(error instanceof BlockError)) throw error
    return error.file.startsWith(directory) && error.message.includes(`${error.file} at offset ${error.offset}: `)
      ? 'error'
      : 'error without file'
  }
}

/** [start, end) of what has a checksum behind it in the index. */
function findChecksums(): [number, number][] {
  const block = BlockReader.open(directory, new PageCache())
  const { index } = block
  const { file, sections } = index
  const withLength = (offset: number): [number, number] => [offset + 4, offset + 4 + readU32(file.view(offset, 4), 0)]
  const found = [withLength(sections.symbols), withLength(sections.postingsTable), [file.size - 52, file.size - 4] as [number, number]]
  for (const reference of block.select([])) {
    // Entries are shorter than 128 bytes, so their lengths have one.
    const offset = index.seriesOffset(reference)
    found.push([offset + 1, offset + 1 + file.view(offset, 1)[0]!])
  }
  for (const name of [new Uint8Array(0), ...index.table.names()]) index.table.forEach(name, (_, list) => found.push(withLength(list)))
  block.close()
  return found
}

describe('a damaged block', () => {
  it.each(['index', 'chunks/000001', 'chunks/000002', 'tombstones'])(
    'with any byte of %s changed gives an error or the right answer',
    (name) => {
      const path = join(directory, name)
      const good = readFileSync(path)
      const outcomes = new Map<string, number>()
      // One byte at a time: a file costs more to create than to read.
      const fd = openSync(path, 'r+')
      for (let at = 0; at < good.length; at++) {
        writeSync(fd, Buffer.of(good[at]! ^ (1 << (at % 8))), 0, 1, at)
        const result = outcome()
        outcomes.set(result, (outcomes.get(result) ?? 0) + 1)
        writeSync(fd, good, at, 1, at)
      }
      closeSync(fd)
      expect([...outcomes.keys()].sort().filter((result) => result !== 'same')).toEqual(['error'])
      // Padding, and what readers do not look at.
      expect(outcomes.get('same') ?? 0).toBeLessThan(good.length / 4)
    },
  )

  it('with any byte of index changed and its checksum made right never does more than give another answer', () => {
    const path = join(directory, 'index')
    const good = readFileSync(path)
    const sections = findChecksums()
    const fd = openSync(path, 'r+')
    const outcomes = new Set<string>()
    for (const [start, end] of sections) {
      for (let at = start; at < end; at++) {
        const bad = Uint8Array.from(good.subarray(start, end + 4))
        bad[at - start]! ^= 1 << (at % 8)
        new DataView(bad.buffer).setUint32(end - start, crc32c(bad, 0, end - start))
        writeSync(fd, bad, 0, bad.length, start)
        outcomes.add(outcome())
        writeSync(fd, good, start, bad.length, start)
      }
    }
    closeSync(fd)
    expect(outcomes.has('error without file')).toBe(false)
    expect(outcomes.has('error')).toBe(true)
  })

  it.each(['index', 'chunks/000001', 'chunks/000002', 'tombstones'])('cut off anywhere in %s gives an error', (name) => {
    const path = join(directory, name)
    const good = readFileSync(path)
    for (let length = good.length - 1; length >= 0; length--) {
      truncateSync(path, length)
      expect(outcome(), `${length} of ${good.length} bytes`).toBe('error')
    }
    writeFileSync(path, good)
  })

  it.each(['index', 'tombstones', 'chunks/000002', 'chunks', 'meta.json'])('without %s says so', (name) => {
    const path = join(directory, name)
    cpSync(path, `${parent}/kept`, { recursive: true })
    rmSync(path, { recursive: true })
    expect(outcome()).toBe(name === 'tombstones' ? 'other answer' : 'error')
    cpSync(`${parent}/kept`, path, { recursive: true })
    rmSync(`${parent}/kept`, { recursive: true })
    expect(outcome()).toBe('same')
  })

  it('is found by a walk over all of it, with the file and the offset', () => {
    const path = join(directory, 'chunks/000002')
    const good = readFileSync(path)
    const bad = Buffer.from(good)
    bad[12]! ^= 1
    bad[40]! ^= 1
    writeFileSync(path, bad)
    const block = BlockReader.open(directory, new PageCache())
    expect(block.verify().map(({ file, offset }) => [file, offset])).toEqual([
      [path, 8],
      [path, expect.any(Number)],
    ])
    block.close()
    writeFileSync(path, good)
    const repaired = BlockReader.open(directory, new PageCache())
    expect(repaired.verify()).toEqual([])
    repaired.close()
  })

  it('whose meta.json disagrees with its content is found by a walk', () => {
    const path = join(directory, 'meta.json')
    const good = readFileSync(path, 'utf8')
    const verify = (text: string): string[] => {
      writeFileSync(path, text)
      const block = BlockReader.open(directory, new PageCache())
      const problems = block.verify().map(({ message }) => message)
      block.close()
      writeFileSync(path, good)
      return problems
    }
    expect(verify(good.replace('"numSeries": 34', '"numSeries": 35'))[0]).toMatch(/meta.json at offset 0: stats.numSeries: want 34, got 35/)
    expect(verify(good.replace('"minTime": 1000', '"minTime": 1001'))[0]).toMatch(/want chunks in \[1001, 1501\), got \[1000, 1000\]/)
    expect(verify(good.replace('"maxTime": 1501', '"maxTime": 1500'))[0]).toMatch(/want chunks in \[1000, 1500\), got \[1500, 1500\]/)
  })
})
