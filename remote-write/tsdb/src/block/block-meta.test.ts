import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { formatBlockMeta, parseBlockMeta, readBlockMeta, writeBlockMeta } from './block-meta.ts'

const ulid = '01M8GXZWWBM96VX7MYHEYZPV51'
const good = {
  ulid,
  minTime: 1,
  maxTime: 2,
  stats: { numSamples: 3, numSeries: 1, numChunks: 1 },
  compaction: { level: 1, sources: [ulid], parents: [{ ulid, minTime: 1, maxTime: 2 }], hints: ['from-out-of-order'] },
  version: 1,
}
let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-meta-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

describe('meta.json', () => {
  it('is written again with all that it had: unknown fields, numbers of 64 bits', async () => {
    const text = formatBlockMeta(
      parseBlockMeta(JSON.stringify({ ...good, thanos: { labels: { a: 'b' }, big: '#', files: [{ rel_path: 'index' }] } }), 'm'),
    )
      .replace('"#"', '9223372036854775807')
      .replace('"a": "b"', '"a": 1.50')
    writeFileSync(join(directory, 'meta.json'), text)
    const meta = readBlockMeta(directory)
    await writeBlockMeta(directory, { ...meta, compaction: { ...meta.compaction, failed: true } })
    const written = readFileSync(join(directory, 'meta.json'), 'utf8')
    expect(written.replace(',\n\t\t"failed": true', '')).toBe(text)
    expect(readBlockMeta(directory).compaction.failed).toBe(true)
    expect(readdirSync(directory)).toEqual(['meta.json'])
  })

  it('may lack what Prometheus leaves out, and have null where Go has an empty list', () => {
    const { stats: _, ...rest } = good
    expect(parseBlockMeta(JSON.stringify({ ...rest, compaction: { level: 2, sources: null } }), 'm').compaction.level).toBe(2)
  })

  it.each([
    ['', /cannot read m at offset 0: /],
    ['[]', /want an object/],
    [JSON.stringify({ ...good, version: 2 }), /want version 1, got 2/],
    [JSON.stringify({ ...good, version: undefined }), /want version 1, got undefined/],
    [JSON.stringify({ ...good, ulid: 'x' }), /want ulid to be a ULID, got "x"/],
    [JSON.stringify({ ...good, minTime: 3 }), /want minTime up to maxTime, got 3 and 2/],
    [JSON.stringify({ ...good, maxTime: '2' }), /want maxTime to be a whole number of milliseconds, got "2"/],
    [JSON.stringify({ ...good, maxTime: 2.5 }), /want maxTime to be a whole number of milliseconds, got 2.5/],
    [JSON.stringify({ ...good, stats: { numSeries: -1 } }), /want stats.numSeries to be a count, got -1/],
    [JSON.stringify({ ...good, compaction: undefined }), /want compaction to be an object, got undefined/],
    [JSON.stringify({ ...good, compaction: { level: 'a' } }), /want compaction.level to be a count, got "a"/],
    [JSON.stringify({ ...good, compaction: { level: 1, sources: ['a'] } }), /want compaction.sources to be ULIDs/],
    [JSON.stringify({ ...good, compaction: { level: 1, parents: [{ ulid }] } }), /want compaction.parents to have/],
    [JSON.stringify({ ...good, compaction: { level: 1, failed: 1 } }), /want compaction.failed to be true or false, got 1/],
  ])('is refused as %j', (text, message) => {
    expect(() => parseBlockMeta(text, 'm')).toThrow(message)
  })
})
