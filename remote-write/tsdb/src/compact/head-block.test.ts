import fc from 'fast-check'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import { BlockReader } from '../block/block-reader.ts'
import { PageCache } from '../block/page-cache.ts'
import { makeUlid } from '../block/ulid.ts'
import { Head } from '../head/head.ts'
import { BlockQueryable } from '../select/block-queryable.ts'
import { HeadReader } from '../select/head-reader.ts'
import type { Queryable } from '../select/queryable.ts'
import { writeHeadBlock } from './head-block.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-cut-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const words = new Uint32Array(2)
const doubles = new Float64Array(words.buffer)

/** A head in which a step in time is 1 ms and a chunk ends at multiples of 1000. */
function createHead(): Head {
  return new Head({ memoryBytesMax: 64 * 2 ** 20, now: () => 1e6, chunkRangeMs: 1000 })
}

function append(head: Head, labels: Record<string, string>, timeMs: number, value: number): void {
  doubles[0] = value
  expect(head.append(head.refByLabels(Labels.from(labels)), timeMs, words[0]!, words[1]!)).toBe(0)
}

/** `{labels} time=value …`, a stale marker as its bits. */
function read(queryable: Queryable, minTimeMs = -Infinity, maxTimeMs = Infinity): string[] {
  const lines: string[] = []
  for (const set = queryable.select([new Matcher('!=', 'a', 'none')], minTimeMs, maxTimeMs); set.next();) {
    const columns = new SampleColumns()
    set.samples(columns)
    const samples = Array.from({ length: columns.length }, (_, i) => {
      const isStale = columns.words[2 * i] === STALE_LOW && columns.words[2 * i + 1] === STALE_HIGH
      return `${columns.times[i]}=${isStale ? 'stale' : columns.values[i]}`
    })
    lines.push(`${set.labels().toString()} ${samples.join(' ')}`)
  }
  return lines
}

async function cut(head: Head, minTimeMs: number, maxTimeMs: number): Promise<string[] | undefined> {
  const descriptor = head.descriptor()
  try {
    const ulid = makeUlid(1)
    const meta = await writeHeadBlock(descriptor, { directory, ulid, minTimeMs, maxTimeMs })
    if (meta === undefined) return undefined
    const block = BlockReader.open(join(directory, ulid), new PageCache())
    try {
      expect(block.meta).toEqual(meta)
      return read(new BlockQueryable(block))
    } finally {
      block.close()
    }
  } finally {
    head.releaseReader(descriptor)
  }
}

test('a block has what the head has in its range, whatever the series and times', async () => {
  const names = fc.constantFrom('a', 'b', 'é', 'zz')
  const labelSets = fc.dictionary(names, fc.constantFrom('1', '2', 'ü', 'v'.repeat(40)), { minKeys: 1 })
  const samples = fc.array(fc.record({ labels: labelSets, stepMs: fc.nat(300), value: fc.double() }), { minLength: 1, maxLength: 120 })
  await fc.assert(
    fc.asyncProperty(samples, fc.integer({ min: -200, max: 4000 }), fc.integer({ min: 1, max: 3000 }), async (list, from, length) => {
      const head = createHead()
      let timeMs = 0
      for (const { labels, stepMs, value } of list) append(head, labels, (timeMs += stepMs + 1), value)
      head.commit()
      const descriptor = head.descriptor()
      const reader = new HeadReader(descriptor)
      const expected = read(reader, from, from + length - 1)
      reader.release()
      head.releaseReader(descriptor)
      const found = await cut(head, from, from + length)
      // The head gives series whose chunks have the time even if no sample has.
      expect(found ?? []).toEqual(expected.filter((line) => line.includes('=') && / \d/.test(line)))
    }),
    { numRuns: 60 },
  )
})

test('chunks stay as the head cut them, and the meta tells what there is', async () => {
  const head = createHead()
  for (let i = 0; i < 300; i++) append(head, { a: '1' }, 2 * i, i)
  append(head, { a: '2' }, 599, 1)
  words[0] = STALE_LOW
  words[1] = STALE_HIGH
  head.append(head.refByLabels(Labels.from({ a: '2' })), 600, words[0], words[1])
  head.commit()
  const lines = await cut(head, 0, 1000)
  expect(lines![1]).toBe('{a="2"} 599=1 600=stale')
  const [name] = readdirSync(directory)
  const block = BlockReader.open(join(directory, name!), new PageCache())
  const { minTime, maxTime, stats, compaction } = block.meta
  expect({ minTime, maxTime, stats, compaction }).toEqual({
    minTime: 0,
    maxTime: 1000,
    stats: { numSamples: 302, numFloatSamples: 302, numSeries: 2, numChunks: stats!.numChunks },
    compaction: { level: 1, sources: [name] },
  })
  expect(stats!.numChunks).toBeGreaterThan(2)
  block.close()
})

test('of a range without samples nothing is written', async () => {
  const head = createHead()
  append(head, { a: '1' }, 10, 1)
  append(head, { a: '1' }, 700, 1)
  head.commit()
  expect(await cut(head, 1000, 2000)).toBeUndefined()
  // In the middle of a chunk.
  expect(await cut(head, 100, 600)).toBeUndefined()
  expect(readdirSync(directory)).toEqual([])
})
