import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { crc32c } from '@narthex/bytes/crc32c'
import { Matcher } from '@narthex/model/matcher'
import { BlockReader } from './block-reader.ts'
import { readLines, writeBlock } from './block.test-blocks.ts'
import type { TestSeries } from './block.test-blocks.ts'
import { PageCache } from './page-cache.ts'
import { BlockSeries } from './series-entry.ts'

let parent = ''
let directory = ''
const series = Array.from({ length: 50 }, (_, i): TestSeries => {
  const labels = ['__name__', 'm', ...(i % 5 === 0 ? ['five', 'yes'] : []), 'i', `v${String(i).padStart(2, '0')}`]
  return { labels, chunks: [[[1000 + i, i]], [[2000, 7]]] }
})

beforeEach(async () => {
  parent = mkdtempSync(join(tmpdir(), 'narthex-index-'))
  directory = await writeBlock(parent, series)
})
afterEach(() => rmSync(parent, { recursive: true, force: true }))

function open(): BlockReader {
  return BlockReader.open(directory, new PageCache())
}

function answers(block: BlockReader): string[] {
  const selected = [
    [new Matcher('=', 'i', 'v07')],
    [new Matcher('=~', 'i', 'v1.'), new Matcher('!=', 'five', 'yes')],
    [new Matcher('=', 'five', '')],
    [new Matcher('=', 'i', 'v99')],
  ]
  const names = [...block.labelNames(), ...block.labelNames(selected[0]), ...block.labelValues('i'), ...block.labelValues('i', selected[1])]
  return [...selected.flatMap((matchers) => readLines(block, block.select(matchers))), ...names]
}

describe('an index', () => {
  it('of version 3 is read as one of version 2', () => {
    const two = open()
    const expected = answers(two)
    two.close()
    setVersion(3)
    const three = open()
    expect(three.index.version).toBe(3)
    expect(answers(three)).toEqual(expected)
    expect(three.verify()).toEqual([])
    three.close()
  })

  it('of version 1 is read too: symbols by offset, series without alignment, a table in any order', () => {
    const two = open()
    const expected = answers(two)
    const lines = readLines(two)
    const one = rewriteAsVersion1(two)
    two.close()
    writeFileSync(join(directory, 'index'), one)
    const block = open()
    expect(block.index.version).toBe(1)
    expect(readLines(block)).toEqual(lines)
    expect(answers(block)).toEqual(expected)
    expect(block.verify()).toEqual([])
    block.close()
  })

  it.each([0, 4])('of version %i is refused', (version) => {
    setVersion(version)
    expect(open).toThrow(`index at offset 4: want version 1 to 3, got ${version}`)
  })
})

describe('a list of all series, read one after the other', () => {
  // Two pieces of 64 KiB and a little.
  const many = Array.from({ length: 33_000 }, (_, i): TestSeries => ({ labels: ['i', String(i).padStart(5, '0')], chunks: [[[1000, i]]] }))

  it('has the references of the whole list, over pieces of the file', async () => {
    directory = await writeBlock(parent, many)
    const block = open()
    expect(walk(block)).toEqual([...block.index.allSeries()])
    block.close()
  })

  it('is refused at its end if a reference of it is another one, and at once where they do not ascend', async () => {
    directory = await writeBlock(parent, many)
    const block = open()
    const path = join(directory, 'index')
    const bytes = readFileSync(path)
    const start = block.index.sections.postings + 8
    const last = start + 4 * (many.length - 1)
    block.close()
    const changed = Buffer.from(bytes)
    changed.writeUInt32BE(bytes.readUInt32BE(last) + 1, last)
    writeFileSync(path, changed)
    expect(() => walk(open())).toThrow(/want checksum \d+, got \d+/)
    bytes.copy(bytes, start + 4, start, start + 4)
    writeFileSync(path, bytes)
    expect(() => walk(open())).toThrow(/index at offset \d+: postings: want more than \d+, got \d+/)
  })
})

function walk(block: BlockReader): number[] {
  const references = block.index.eachSeries()
  const found: number[] = []
  for (let reference = references.next(); reference >= 0; reference = references.next()) found.push(reference)
  return found
}

function setVersion(version: number): void {
  const path = join(directory, 'index')
  const bytes = readFileSync(path)
  bytes[4] = version
  writeFileSync(path, bytes)
}

/** The same series in the layout of the first format, the table of postings backwards. */
function rewriteAsVersion1(block: BlockReader): Uint8Array {
  const out = new ByteWriter()
  const section = (write: (body: ByteWriter, start: number) => void): number => {
    const offset = out.length
    const body = new ByteWriter()
    write(body, offset + 4)
    out.u32be(body.length)
    out.raw(body.view())
    out.u32be(crc32c(body.view()))
    return offset
  }
  out.u32be(0xbaaad700)
  out.u8(1)
  const symbolOffsets: number[] = []
  const symbols = section((body, start) => {
    body.u32be(block.symbolCount)
    for (const symbol of block.symbols()) {
      symbolOffsets.push(start + body.length)
      body.uvarint(symbol.length)
      body.raw(symbol)
    }
  })
  const seriesStart = out.length
  const lists = new Map<string, number[]>([['', []]])
  const read = new BlockSeries()
  for (const reference of block.select([])) {
    block.readSeries(reference, read)
    const entry = new ByteWriter()
    lists.get('')!.push(out.length)
    entry.uvarint(read.labelCount)
    for (let i = 0; i < read.labelCount * 2; i++) entry.uvarint(symbolOffsets[read.labels[i]!]!)
    for (let i = 0; i < read.labelCount; i++) {
      const key = `${read.labels[2 * i]},${read.labels[2 * i + 1]}`
      lists.set(key, [...(lists.get(key) ?? []), out.length])
    }
    entry.uvarint(read.chunkCount)
    for (let i = 0; i < read.chunkCount; i++) {
      if (i === 0) entry.varint(read.minTimes[0]!)
      else entry.uvarint(read.minTimes[i]! - read.maxTimes[i - 1]!)
      entry.uvarint(read.maxTimes[i]! - read.minTimes[i]!)
      if (i === 0) entry.uvarint(read.chunks[0]!)
      else entry.varint(read.chunks[i]! - read.chunks[i - 1]!)
    }
    out.uvarint(entry.length)
    out.raw(entry.view())
    out.u32be(crc32c(entry.view()))
  }
  const seriesEnd = out.length
  const offsets = [...lists].map(([key, references]) => {
    const offset = section((body) => {
      body.u32be(references.length)
      for (const reference of references) body.u32be(reference)
    })
    return [key, offset] as const
  })
  const table = section((body) => {
    body.u32be(offsets.length)
    for (const [key, offset] of offsets.reverse()) {
      body.u8(2)
      for (const ordinal of key === '' ? ['', ''] : key.split(',')) {
        const text = ordinal === '' ? new Uint8Array(0) : block.symbol(Number(ordinal))
        body.uvarint(text.length)
        body.raw(text)
      }
      body.uvarint(offset)
    }
  })
  const start = out.length
  for (const offset of [symbols, seriesStart, seriesEnd, table, seriesEnd, table]) out.u64be(0, offset)
  out.u32be(crc32c(out.bytes, start, out.length))
  return out.view()
}
