import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { BlockError } from './block-error.ts'
import { BlockReader } from './block-reader.ts'
import { encode } from './block.test-blocks.ts'
import type { Sample } from './block.test-blocks.ts'
import { BlockWriter } from './block-writer.ts'
import type { BlockChunk, SeriesLabels } from './block-writer.ts'
import { PageCache } from './page-cache.ts'
import { makeUlid } from './ulid.ts'

let parent = ''
let writer: BlockWriter
const ulid = makeUlid(1)
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'narthex-block-'))
  writer = new BlockWriter(parent, ulid)
  writer.symbols(['', 'a', 'b', 'c', 'x'])
})
afterEach(async () => {
  await writer.discard()
  rmSync(parent, { recursive: true })
})

const chunk = (...times: number[]): BlockChunk => encode(times.map((time): Sample => [time, 1]))
const finish = (minTimeMs: number, maxTimeMs: number) => writer.finish({ minTimeMs, maxTimeMs, compaction: { level: 1, sources: [ulid] } })

describe('a block being written', () => {
  it('takes label sets, bytes and ordinals for the same series', async () => {
    writer.addSeries(Labels.from({ a: 'b' }), [chunk(1)])
    writer.addSeries(['a', new TextEncoder().encode('c')], [chunk(2)])
    writer.addSeries(Uint32Array.of(1, 3, 2, 4), [chunk(3)])
    const meta = await finish(1, 4)
    expect(meta.stats).toEqual({ numSamples: 3, numFloatSamples: 3, numSeries: 3, numChunks: 3 })
    const block = BlockReader.open(writer.directory, new PageCache())
    expect(block.labelValues('a')).toEqual(['b', 'c'])
    expect(block.labelValues('b')).toEqual(['x'])
    expect(block.meta).toEqual(meta)
    expect(block.verify()).toEqual([])
    block.close()
    expect(readdirSync(parent)).toEqual([ulid])
  })

  it.each<[string, SeriesLabels, BlockChunk[], RegExp]>([
    ['without labels', [], [chunk(1)], /want a series with labels, got none/],
    ['without chunks', ['a', 'c'], [], /want a series with chunks, got none/],
    ['equal to the one before', ['a', 'b'], [chunk(1)], /want series in ascending order of labels, got series 1 out of it/],
    ['that is less than the one before', ['a', ''], [chunk(1)], /want series in ascending order/],
    ['with an empty name', ['', 'x'], [chunk(1)], /want label names, got an empty one/],
    ['with names out of order', ['b', 'x', 'a', 'x'], [chunk(1)], /want label names in ascending order/],
    ['with a name twice', ['b', 'x', 'b', 'x'], [chunk(1)], /want label names in ascending order/],
    ['with an odd label', ['b'], [chunk(1)], /want pairs of name and value, got 1/],
    ['with a text that is no symbol', ['b', 'y'], [chunk(1)], /want a symbol that was given, got "y"/],
    ['with an ordinal that is no symbol', Uint32Array.of(2, 5), [chunk(1)], /want symbols below 5, got 2 and 5/],
    ['with chunks that touch', ['b', 'x'], [chunk(1, 5), chunk(5)], /want chunks without overlap, got start 5 after end 5/],
    ['with a chunk that ends before it starts', ['b', 'x'], [{ ...chunk(1), minTimeMs: 2 }], /want a chunk that ends after 2, got end 1/],
    ['with half milliseconds', ['b', 'x'], [{ ...chunk(1), minTimeMs: 0.5 }], /want times in whole milliseconds/],
    ['with encoding 0', ['b', 'x'], [{ ...chunk(1), encoding: 0 }], /want encoding 1 to 6, got 0/],
    ['with encoding 7', ['b', 'x'], [{ ...chunk(1), encoding: 7 }], /want encoding 1 to 6, got 7/],
    ['with an empty chunk', ['b', 'x'], [{ ...chunk(1), data: Uint8Array.of(0, 0) }], /want chunks with samples/],
    ['with a chunk of one byte', ['b', 'x'], [{ ...chunk(1), data: Uint8Array.of(0) }], /want a chunk of 2 to 16777216 bytes, got 1/],
  ])('refuses a series %s', (_, labels, chunks, message) => {
    writer.addSeries(['a', 'b'], [chunk(1)])
    expect(() => writer.addSeries(labels, chunks)).toThrow(message)
  })

  it('refuses symbols twice, or out of order', async () => {
    expect(() => writer.symbols(['d'])).toThrow(/want symbols once/)
    await writer.discard()
    writer = new BlockWriter(parent, ulid)
    expect(() => writer.symbols(['\uffee', '\u{10000}', 'a'])).toThrow(/want symbols in ascending order, got symbol 2 out of it/)
  })

  it.each([
    [1, 6],
    [-1, 10],
  ])('takes samples in [%i, %i)', async (from, to) => {
    writer.addSeries(['a', 'b'], [chunk(1, 5)])
    await finish(from, to)
    expect(existsSync(join(parent, ulid, 'meta.json'))).toBe(true)
  })

  it.each([
    [2, 6],
    [1, 5],
  ])('refuses times [%i, %i) that some samples are not in', async (from, to) => {
    writer.addSeries(['a', 'b'], [chunk(1, 5)])
    await expect(finish(from, to)).rejects.toThrow(`want samples in [${from}, ${to}), got some in [1, 5]`)
  })

  it('refuses to end without series, and leaves nothing behind when discarded', async () => {
    await expect(finish(1, 2)).rejects.toThrow(/want at least one series/)
    await writer.discard()
    expect(readdirSync(parent)).toEqual([])
  })

  it('replaces what an earlier try left, but no block', async () => {
    await writer.discard()
    mkdirSync(join(parent, `${ulid}.tmp-for-creation`, 'chunks'), { recursive: true })
    writeFileSync(join(parent, `${ulid}.tmp-for-creation`, 'index'), 'x')
    for (const end of ['done', 'refused']) {
      writer = new BlockWriter(parent, ulid)
      writer.symbols(['a', 'b'])
      writer.addSeries(['a', 'b'], [chunk(1)])
      if (end === 'done') await finish(1, 2)
      else await expect(finish(1, 2)).rejects.toThrow(BlockError)
    }
  })

  it('has a name that is a ULID', () => {
    expect(() => new BlockWriter(parent, 'wal')).toThrow(/want a ULID as name of a block, got "wal"/)
  })
})
