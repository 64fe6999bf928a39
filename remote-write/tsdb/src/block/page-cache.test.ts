import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BlockFile } from './block-file.ts'
import { PageCache, pageBytes } from './page-cache.ts'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-pages-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function makeFile(name: string, length: number): { path: string; bytes: Uint8Array } {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + (i >>> 8) + (i >>> 14) * 31) & 0xff)
  const path = join(directory, name)
  writeFileSync(path, bytes)
  return { path, bytes }
}

describe('the page cache', () => {
  it('remembers what was checked as long as it has the page, and nothing of a page that came in its place', () => {
    const cache = new PageCache(0)
    const { path } = makeFile('checked', 200 * pageBytes)
    const file = BlockFile.open(path, cache)
    const pages = cache.bytesMax / pageBytes
    file.view(40, 10)
    expect(file.wasChecked(40, 10)).toBe(false)
    file.markChecked(40, 10)
    file.view(pageBytes + 40, 10)
    expect(file.wasChecked(pageBytes + 40, 10)).toBe(false)
    file.view(40, 10)
    expect([file.wasChecked(40, 10), file.wasChecked(41, 10), file.wasChecked(39, 10)]).toEqual([true, false, false])
    // What reaches into the next page is never known.
    file.view(pageBytes - 20, 30)
    file.markChecked(pageBytes - 20, 30)
    file.view(0, 10)
    expect(file.wasChecked(pageBytes - 20, 30)).toBe(false)
    for (let page = 1; page <= 2 * pages; page++) file.view(page * pageBytes + 40, 10)
    file.view(40, 10)
    expect(file.wasChecked(40, 10)).toBe(false)
    for (let page = 0; page < 3; page++) {
      file.view((100 + page) * pageBytes + 40, 10)
      expect(file.wasChecked((100 + page) * pageBytes + 40, 10)).toBe(false)
    }
    file.close()
  })

  it('reads anew what it was told to forget, into the memory that it has', () => {
    const cache = new PageCache(0)
    const { path, bytes } = makeFile('forgotten', 10 * pageBytes)
    const file = BlockFile.open(path, cache)
    const readAll = (): void => {
      for (let page = 0; page < 10; page++)
        expect(file.view(page * pageBytes, 50)).toEqual(bytes.subarray(page * pageBytes, page * pageBytes + 50))
    }
    readAll()
    file.view(40, 10)
    file.markChecked(40, 10)
    const { reads, bytes: taken } = cache
    readAll()
    expect(cache.reads).toBe(reads)
    cache.forgetPages()
    readAll()
    file.view(40, 10)
    expect(file.wasChecked(40, 10)).toBe(false)
    expect([cache.reads, cache.bytes]).toEqual([2 * reads, taken])
    file.close()
  })

  it('gives the bytes of the file for every range, whatever was read before, and never grows over its bound', () => {
    const cache = new PageCache(0)
    // More pages than the cache has, so that they push each other out.
    const files = [makeFile('a', 60 * pageBytes + 5), makeFile('b', 30 * pageBytes), makeFile('c', 3)].map(({ path, bytes }) => {
      return { file: BlockFile.open(path, cache), bytes }
    })
    const anyRange = fc.tuple(fc.nat(2), fc.nat(1000), fc.oneof(fc.nat(100), fc.nat(40_000), fc.nat(300_000)))
    fc.assert(
      fc.property(fc.array(anyRange, { minLength: 1, maxLength: 20 }), (ranges) => {
        for (const [which, place, wanted] of ranges) {
          const { file, bytes } = files[which]!
          const start = Math.floor((place / 1000) * bytes.length)
          const length = Math.min(wanted, bytes.length - start)
          expect(Buffer.compare(file.view(start, length), bytes.subarray(start, start + length))).toBe(0)
          const rest = file.viewRest(start, 10)
          expect(rest.length).toBeGreaterThanOrEqual(Math.min(10, bytes.length - start))
          expect(Buffer.compare(rest, bytes.subarray(start, start + rest.length))).toBe(0)
          expect(cache.bytes).toBeLessThanOrEqual(cache.bytesMax)
        }
      }),
      { numRuns: 50 },
    )
    expect(cache.bytes).toBe(cache.bytesMax)
    for (const { file } of files) file.close()
  })

  it('reads neighbouring pages by one read, and ahead where a file is read in order', () => {
    const cache = new PageCache()
    const file = BlockFile.open(makeFile('d', 40 * pageBytes).path, cache)
    file.view(0, 10 * pageBytes)
    expect(cache.reads).toBe(1)
    file.view(3 * pageBytes, 2 * pageBytes)
    expect(cache.reads).toBe(1)
    for (let page = 10; page < 34; page++) file.view(page * pageBytes, 10)
    expect(cache.reads).toBe(4)
    file.view(39 * pageBytes, 10)
    file.view(36 * pageBytes, 10)
    expect(cache.reads).toBe(6)
    file.close()
  })

  it('does not keep pages of a file that is closed', () => {
    const cache = new PageCache()
    const first = BlockFile.open(makeFile('e', 100).path, cache)
    first.view(0, 100)
    first.close()
    first.close()
    const { path, bytes } = makeFile('f', 101)
    const second = BlockFile.open(path, cache)
    expect(Array.from(second.view(0, 101))).toEqual(Array.from(bytes))
    second.close()
  })

  it('says so when a file has become shorter, each time', () => {
    const { path } = makeFile('g', 3 * pageBytes)
    const file = BlockFile.open(path, new PageCache())
    truncateSync(path, 2 * pageBytes + 1)
    for (let i = 0; i < 2; i++)
      expect(() => file.view(2 * pageBytes, 1)).toThrow(`g at offset ${2 * pageBytes}: want a file of ${3 * pageBytes} bytes`)
    expect(file.view(pageBytes, 1).length).toBe(1)
    file.close()
  })

  it('refuses ranges that the file does not have', () => {
    const file = BlockFile.open(makeFile('h', 10).path, new PageCache())
    expect(file.view(10, 0).length).toBe(0)
    expect(() => file.view(5, 6)).toThrow('want 6 bytes, got a file of 10')
    expect(() => file.view(-1, 1)).toThrow('want 1 bytes')
    expect(() => file.view(0, -1)).toThrow('want -1 bytes')
    file.close()
  })
})
